"""The sensitivity table: it meets the expected values, the laws of the tests, and its users' mistakes."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from console import invoke

import coffea_ddp as ddp
from coffea_ddp import stats
from coffea_ddp.errors import InputError
from coffea_ddp.stats.sensitivity import expected_sensitivity
from coffea_ddp.testing import make_nanoaod

BACKGROUND = np.full((12, 12), 25.0)
TEMPLATE = np.zeros((12, 12))
TEMPLATE[3:6, 4:7] = 1.0


@pytest.fixture(scope="module")
def found():
    return expected_sensitivity(BACKGROUND, TEMPLATE, z=(0, 3, 5), toys=400, seed=1)


def test_the_references_find_what_was_injected(found):
    for row in found.rows:
        assert row.asimov_l2 == pytest.approx(row.z_injected, abs=1e-6)
        assert row.l2.median == pytest.approx(row.asimov_l2, abs=0.2)
        assert row.l1.median == pytest.approx(row.asimov_l1, abs=0.2)
        assert row.l2.high - row.l2.low == pytest.approx(2.0, abs=0.35)
        # The price of not knowing where: 9 of 144 bins.
        assert row.nsigma.median == pytest.approx(np.sqrt(9 / 144) * row.z_injected, abs=0.2)


def test_scanning_rectangles_wins_it_back(found):
    nothing, three, five = found.rows
    assert five.rectangle.median == pytest.approx(five.asimov_l2, abs=0.5)
    # Some nine toys make the threshold, some nine are above it: 3 standard errors.
    assert nothing.power == pytest.approx(0.0228, abs=3 * np.sqrt(2 * 0.0228 / 400))
    assert nothing.power < three.power < five.power
    assert five.power > 0.8
    assert nothing.z_global.median == pytest.approx(0.0, abs=0.2)
    assert nothing.z_global.high - nothing.z_global.low == pytest.approx(2.0, abs=0.3)
    assert five.nsigma.median < five.z_global.median < five.asimov_l2
    assert five.z_global.low < five.z_global.median < five.z_global.high
    assert "tail" in five.z_global_method


def test_what_is_known_of_28_by_28_bins():
    """PHYSICS T3: power beyond a global 2 sigma .82, .85 and mean best z 5.41, 5.46 for signals of 5 sigma."""
    x, y = np.meshgrid(np.arange(28) - 13.5, np.arange(28) - 13.5, indexing="ij")
    for template, n_signal, power in (
        (np.exp(-0.5 * (x**2 + y**2) / 1.5**2), 205, 0.82),
        (np.pad(np.ones((7, 7)), (10, 11)), 260, 0.85),
    ):
        row = expected_sensitivity(np.full((28, 28), 25.0), template, z=(5,), toys=300, seed=4).rows[0]
        assert row.n_signal == pytest.approx(n_signal, rel=0.01)
        assert row.rectangle.median == pytest.approx(5.43, abs=0.2)
        assert row.power == pytest.approx(power, abs=0.12)


def test_both_directions_cost_trials():
    """Two-sided looks at the size of z: a signal of B is found again, for a larger price."""
    one = expected_sensitivity(BACKGROUND, TEMPLATE, z=(0, 4), toys=300, seed=5)
    two = expected_sensitivity(BACKGROUND, TEMPLATE, z=(0, 4), toys=300, seed=5, alternative="two-sided")
    assert two.rows[0].rectangle.low >= one.rows[0].rectangle.low > 0
    assert two.rows[1].l2 == one.rows[1].l2
    assert two.rows[1].z_global.median < one.rows[1].z_global.median
    assert two.rows[1].rectangle.median >= one.rows[1].rectangle.median


def test_a_line_does_not_depend_on_the_others():
    first = expected_sensitivity(BACKGROUND, TEMPLATE, z=(1, 5), toys=50, seed=3).rows[1]
    assert first == expected_sensitivity(BACKGROUND, TEMPLATE, z=(5,), toys=50, seed=3).rows[0]
    assert first != expected_sensitivity(BACKGROUND, TEMPLATE, z=(5,), toys=50, seed=4).rows[0]


def test_toys_without_any_event():
    for background in ([0.3], [0.2, 0.2, 0.0, 0.2]):
        template = np.zeros(len(background))
        template[0] = 1.0
        rows = expected_sensitivity(background, template, z=(0, 1, 3), toys=50, seed=1).rows
        frame = [value for row in rows for found in (row.l1, row.l2, row.nsigma, row.rectangle, row.z_global)
                 for value in (found.low, found.median, found.high)]  # fmt: skip
        assert np.isfinite(frame).all()
        assert rows[0].power <= rows[2].power


def test_other_ratios_and_likelihoods():
    row = expected_sensitivity(BACKGROUND[0] * 4, TEMPLATE[4], z=(4,), kind="l1", kappa=3.0, toys=200, seed=2).rows[0]
    assert row.asimov_l1 == pytest.approx(4.0)
    assert row.asimov_l2 == pytest.approx(stats.asimov_l2(BACKGROUND[0] * 4, row.n_signal * TEMPLATE[4] / 3, kappa=3.0))
    assert row.l1.median == pytest.approx(4.0, abs=0.25)
    assert row.l2.median == pytest.approx(row.asimov_l2, abs=0.25)


def test_toys_belong_to_the_seed(found):
    again = expected_sensitivity(BACKGROUND, TEMPLATE, z=(0, 3, 5), toys=400, seed=1)
    assert again == found


def test_as_dictionaries(found):
    lines = found.to_dicts()
    assert [line["z_injected"] for line in lines] == [0, 3, 5]
    tests = ("l1", "l2", "nsigma", "rectangle", "z_global")
    assert {f"{test}{end}" for test in tests for end in ("", "_low", "_high")} | {"power"} <= set(lines[0])
    assert all(line["l2_low"] < line["l2"] < line["l2_high"] for line in lines)
    assert [row.to_dict() for row in found.rows] == lines


@pytest.mark.parametrize(
    ("background", "template", "options", "message"),
    [
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), {}, "spectrum or a matrix"),
        ([1.0], [1.0], {"toys": 3}, "toys=3"),
        ([1.0], [0.0], {}, "outside of the matrix"),
        ([0.0, 1.0], [1.0, 1.0], {}, "without background"),
        ([1.0], [1.0, 1.0], {}, "same bins"),
        ([1.0], [1.0], {"z": (-1,)}, "0 or more"),
        ([1.0], [1.0], {"kappa": 0.0}, "above 0"),
        ([1.0], [1.0], {"z": ()}, "z is empty"),
        ([1.0], [1.0], {"z": (np.nan,)}, "z has NaN"),
        ([1.0], [1.0], {"seed": -1}, "seed=-1"),
        ([1.0], [1.0], {"statistic": "x"}, "statistic='x'"),
        ([1.0], [1.0], {"alternative": "less"}, "signal is in B"),
        ([1.0], [1.0], {"kind": "l3"}, "kind='l3'"),
        (["x"], [1.0], {}, "background: not an array"),
        ([1e19], [1.0], {}, "cannot be made"),
    ],
)
def test_bad_input(background, template, options, message):
    with pytest.raises(InputError, match=message):
        expected_sensitivity(background, template, **options)


def test_command(tmp_path, capsys):
    np.save(tmp_path / "b.npy", BACKGROUND)
    np.savetxt(tmp_path / "s.txt", TEMPLATE)
    code, out, err = invoke(
        capsys,
        "sensitivity",
        tmp_path / "b.npy",
        tmp_path / "s.txt",
        "--z",
        "0,4",
        "--toys",
        "50",
        "-o",
        tmp_path / "t.csv",
    )
    assert code == 0
    assert "Z injected" in out
    assert "250 toys without a signal" in " ".join(out.split())
    assert "t.csv" in err
    assert (tmp_path / "t.csv").read_text().startswith("z_injected,n_signal")


def test_help_keeps_the_lines_of_its_examples(capsys):
    for command in (["sensitivity"], ["scan"], []):
        code, out, _ = invoke(capsys, *command, "--help")
        assert code == 0
        assert "\\b" not in out
        starts = [line.strip() for line in out.splitlines()]
        assert sum(line.startswith("coffea-ddp ") for line in starts) >= 2


def test_command_with_wrong_input(tmp_path, capsys):
    np.save(tmp_path / "b.npy", BACKGROUND)
    for arguments, message in (
        ((tmp_path / "none.npy", tmp_path / "b.npy"), "no such file"),
        ((tmp_path / "b.npy", tmp_path / "b.npy", "--z", "a"), "give numbers"),
        ((tmp_path / "none.ddp", tmp_path / "b.npy"), "none.ddp"),
    ):
        code, _, err = invoke(capsys, "sensitivity", *arguments)
        assert code == 1
        assert message in err
        assert "Traceback" not in err


def test_command_with_histograms(tmp_path, capsys):
    """A and B of a cell make the expectation of A, as fine as the data are."""
    make_nanoaod(tmp_path / "nano.root", events=3_000, seed=5)
    hists = ddp.run("symmetries", [str(tmp_path / "nano.root")], executor="iterative")
    hists.save(tmp_path / "h.ddp")
    symmetry = hists.symmetries[0]
    observable = hists.observables(symmetry)[0]
    a, b = hists[symmetry, observable, "inclusive"].counts
    np.save(tmp_path / "s.npy", (a + b > 5).astype(float))
    where = ("--symmetry", symmetry, "--observable", observable)
    common = (tmp_path / "h.ddp", tmp_path / "s.npy", "--z", "2", "--toys", "20", "--kappa", "0.8", "--seed", "2")
    code, _, err = invoke(capsys, "sensitivity", *common, *where, "-o", tmp_path / "t.csv")
    assert code == 0, err
    wanted = expected_sensitivity((a + b) / 1.8, 1 * (a + b > 5), z=(2,), toys=20, kappa=0.8, seed=2).to_dicts()
    with (tmp_path / "t.csv").open(encoding="utf-8") as lines:
        assert list(csv.DictReader(lines)) == [{name: str(value) for name, value in row.items()} for row in wanted]
    for wrong, message in (
        ((), f"--symmetry ({', '.join(hists.symmetries)})"),
        (("--symmetry", symmetry), "--observable"),
        (("--symmetry", symmetry, "--observable", "none"), "none"),
        ((*where, "--cell", "none>=1"), "none"),
    ):
        code, _, err = invoke(capsys, "sensitivity", *common, *wrong)
        assert code == 1
        assert message in err.replace("\n", " ")
