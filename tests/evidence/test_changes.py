"""Changes between reports: pairs of rows, words for what differs, and names of strangers."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import coffea_ddp as ddp
from coffea_ddp.errors import InputError
from coffea_ddp.evidence.changes import APPEARED, FELL, GONE, ROSE, SAME, TURNED
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.rows import Row
from coffea_ddp.testing import make_nanoaod


def row(cell, z, *, mass=None, test="nsigma"):
    """Return a row of a symmetry, or of a spectrum with a bump."""
    spectrum = mass is not None
    return Row(
        kind="spectrum" if spectrum else "symmetry", symmetry=None if spectrum else "e/mu", observable="met", cell=cell,
        region=None, test="bump" if spectrum else test, n_a=10, n_b=20, statistic=z, p_local=0.1, z_local=z,
        p_global=0.5, z_global=0.0, method="", status="OK", rank=1, similar_to=1,
        bump=BumpPart(mass, 2.0) if spectrum else None,
    )  # fmt: skip


def report(*rows, **fields):
    return ddp.ScanReport(**{"plan": "p", "fingerprint": "0a", "seed": 1, "inputs": {}, "trials": 9, "rows": rows} | fields)  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (2.0, 3.5, ROSE), (3.5, 2.0, FELL), (2.0, 2.5, SAME), (-2.0, -3.5, ROSE), (2.0, -2.0, TURNED),
        (0.5, -0.4, SAME), (0.5, -3.0, ROSE),
    ],
)  # fmt: skip
def test_changes_are_those_of_the_size_of_z(before, after, change):
    changes = ddp.compare_reports(report(row("j=1", before)), report(row("j=1", after)))
    assert repr(changes) == f"ReportChanges({changes.title})"
    (found,) = changes.rows
    assert found.change == change


def test_rows_are_paired_by_their_place():
    found = ddp.compare_reports(
        report(row("j=1", 5.0), row("j=1", 2.0, test="submatrix"), row("j=2", 1.0)),
        report(row("j=3", 4.0), row("j=1", 2.2, test="submatrix"), row("j=1", 5.1)),
    )
    assert [(one.row.cell, one.row.test, one.change) for one in found.rows] == [
        ("j=1", "nsigma", SAME), ("j=3", "nsigma", APPEARED), ("j=1", "submatrix", SAME), ("j=2", "nsigma", GONE),
    ]  # fmt: skip
    assert found.counts == {ROSE: 0, FELL: 0, TURNED: 0, SAME: 2, APPEARED: 1, GONE: 1}


def test_bumps_of_one_spectrum_are_paired_by_their_mass():
    found = ddp.compare_reports(
        report(row("j=1", 5.0, mass=91.0), row("j=1", 4.0, mass=600.0)),
        report(row("j=1", 6.5, mass=601.0), row("j=1", 5.2, mass=91.5), row("j=1", 3.0, mass=300.0)),
    )
    masses = [(one.before and one.before.bump.position, one.after and one.after.bump.position) for one in found.rows]
    assert masses == [(600.0, 601.0), (91.0, 91.5), (None, 300.0)]


cells = st.lists(st.tuples(st.sampled_from(["j=0", "j=1", "j=2", "b=1"]), st.floats(-9, 9)), unique_by=lambda x: x[0])


@given(first=cells, second=cells)
def test_every_row_is_in_one_change_and_exchanging_the_reports_exchanges_the_changes(first, second):
    one, other = (report(*(row(cell, z) for cell, z in rows)) for rows in (first, second))
    found, back = ddp.compare_reports(one, other), ddp.compare_reports(other, one)
    assert sorted(each.before.number for each in found.rows if each.before) == list(range(1, len(first) + 1))
    assert sorted(each.after.number for each in found.rows if each.after) == list(range(1, len(second) + 1))
    turned_round = {ROSE: FELL, FELL: ROSE, APPEARED: GONE, GONE: APPEARED, SAME: SAME, TURNED: TURNED}
    assert {each.row.cell: turned_round[each.change] for each in found.rows} == {
        each.row.cell: each.change for each in back.rows
    }


def test_a_report_and_itself_are_the_same():
    mine = report(row("j=1", 5.0), row("j=2", 3.0))
    found = ddp.compare_reports(mine, mine)
    assert {one.change for one in found.rows} == {SAME}
    assert found.differences == ()


def test_what_differs_is_named(tmp_path):
    paths = [make_nanoaod(tmp_path / f"{n}.root", events=2_000, seed=n) for n in (1, 2)]
    plan = ddp.load_plan("symmetries")
    a, b = ({era: [str(path)]} for era, path in zip(("2022", "2023"), paths, strict=True))
    first = ddp.scan(ddp.run(plan, a), "nsigma", toys=0, seed=1)
    second = ddp.scan(ddp.run(plan.half("a"), b), ["nsigma", "submatrix"], toys=0, seed=2)
    found = ddp.compare_reports(first.save(tmp_path / "1.json"), second.save(tmp_path / "2.json"))
    text = "\n".join(found.differences)
    for part in ("datasets: 2022, then 2023", "tests: nsigma, then nsigma, submatrix", "seed: 1, then 2",
                 "files in common: 0 of 1 and 1", "split: none, then"):  # fmt: skip
        assert part in text
    written = json.loads(found.save(tmp_path / "changes.json").read_text())
    assert written["differences"] == list(found.differences)
    frame = found.to_dataframe()
    assert list(frame.columns) == list(written["rows"][0])
    assert len(frame) == len(found.rows)
    assert 0 < len(found.leading()) <= len(found.rows)


def test_options_of_tests_are_named_one_by_one():
    bump = {"toys": 100, "min_events": 100, "statuses": {"OK": 3}}
    one, other = report(options={"tests": ["nsigma"]}), report(options={"tests": ["nsigma", "bump"], "bump": bump})
    found = ddp.compare_reports(one, other).differences
    assert found == ("tests: nsigma, then nsigma, bump", "bump toys: none, then 100", "bump min_events: none, then 100")
    more = report(options={"tests": ["nsigma", "bump"], "bump": bump | {"toys": 10, "statuses": {}}})
    assert ddp.compare_reports(other, more).differences == ("bump toys: 100, then 10",)
    assert ddp.compare_reports(other, one).differences[1] == "bump toys: 100, then none"


def test_faces(capsys):
    import rich

    evil = report(row("<script>alert(1)</script>", 5.0))
    found = ddp.compare_reports(evil, report(*(row(f"j={n}", 3.0) for n in range(40)), plan="<b>"))
    assert "<script>" not in found._repr_html_()
    assert "<b>:" not in found._repr_html_()
    rich.print(found.table(3))
    assert "appeared" in capsys.readouterr().out
    assert found.table(3).row_count == 3
    assert found.table(0).row_count == 0
    with pytest.raises(InputError):
        found.table(-1)
    nothing = ddp.compare_reports(report(), report())
    assert "no rows" in nothing.title
    assert nothing.to_dataframe().empty
    assert dataclasses.is_dataclass(nothing)
