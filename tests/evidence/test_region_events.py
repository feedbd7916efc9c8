"""The events of a region: stored ones, those selected anew in the files, and their skims."""

from __future__ import annotations

import dataclasses

import awkward as ak
import numpy as np
import pandas as pd
import pytest
import uproot

import coffea_ddp as ddp
from coffea_ddp.errors import DDPError, FileError, FormatError, InputError
from coffea_ddp.evidence.skimming import read_identity
from coffea_ddp.running.options import Reading
from coffea_ddp.testing import make_nanoaod

PLAN = ddp.load_plan("symmetries")
IDENTITY = ["run", "luminosityBlock", "event"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    return [
        str(make_nanoaod(folder / "one.root", events=3_000, seed=5)),
        str(make_nanoaod(folder / "two.root", events=2_000, seed=6, first_event=50_001, version=15)),
    ]


@pytest.fixture(scope="module")
def hists(files):
    return ddp.run(PLAN, files, reading=Reading(chunksize=700))


@pytest.fixture(scope="module")
def report(hists):
    return ddp.scan(hists, ["nsigma", "submatrix", "nplm"], toys=0, min_events=10)


def rows_of(report):
    """Return a row of every test and kind of observable."""
    found = {}
    for row in report.rows:
        found.setdefault((row.test, row.observable == "all features", row.region is None, row.symmetry), row.number)
    return list(found.values())


def test_the_stored_events_are_those_that_the_row_counts(report, hists):
    numbers = rows_of(report)
    assert len(numbers) > 8
    for number in numbers:
        found = ddp.region_events(report, hists, row=number)
        row = report.rows[number - 1]
        table = found.to_dataframe()
        a, b = hists.layout.symmetry(row.symmetry).sides
        assert found.n_missing == 0
        if row.test != "nplm":
            assert ((table.side == a).sum(), (table.side == b).sum()) == (row.n_a, row.n_b)
        assert len(table.drop_duplicates(IDENTITY)) == len(table)
        assert table[IDENTITY].apply(tuple, axis=1).is_monotonic_increasing
        if row.region is not None:
            for axis in row.region.axes:
                inside = table[axis.name].between(axis.low * (1 - 1e-6) - 1e-6, axis.high * (1 + 1e-6) + 1e-6)
                assert inside.all()


def test_events_selected_anew_are_the_stored_ones(report, hists, files):
    for number in rows_of(report)[:6]:
        stored = ddp.region_events(report, hists, row=number)
        anew = ddp.select_events(report, PLAN, files, row=number)
        assert anew.to_text().splitlines()[1:] == stored.to_text().splitlines()[1:]
        assert list(anew.columns["side"]) == list(stored.columns["side"])


def test_what_a_pass_does_not_store_is_selected_anew(files):
    few = dataclasses.replace(PLAN, max_stored=3)
    hists = ddp.run(few, files)
    report = ddp.scan(hists, "nsigma", toys=0)
    stored = ddp.region_events(report, hists, row=1)
    assert stored.n_missing > 0
    assert f"{stored.n_missing} more are not stored" in stored.to_text().splitlines()[0]
    everything = ddp.select_events(report, few, files, row=1)
    assert (len(everything), everything.n_missing) == (stored.n_events, 0)
    assert set(stored.to_text().splitlines()[1:]) < set(everything.to_text().splitlines()[1:])


def test_the_events_of_one_half_are_of_that_half(files):
    hists = ddp.run(PLAN.half("a"), files)
    report = ddp.scan(hists, "submatrix", toys=0)
    stored = ddp.region_events(report, hists, row=1)
    assert ddp.select_events(report, PLAN, files, row=1).to_text() == stored.to_text()


def test_the_events_of_a_bump_have_its_mass(tmp_path):
    path = make_nanoaod(tmp_path / "z.root", events=20_000, seed=2)
    plan = ddp.load_plan("dimuon_masses")
    hists = ddp.run(plan, path)
    report = ddp.scan(hists, "bump", toys=0)
    number = next(row.number for row in report.rows if row.bump.position and abs(row.bump.position - 91) < 4)
    row = report.rows[number - 1]
    with pytest.raises(InputError, match="mass spectrum"):
        ddp.region_events(report, hists, row=number)
    found = ddp.select_events(report, plan, path, row=number)
    low, high = row.region.axes[0].low, row.region.axes[0].high
    mass = found.columns["mass"]
    assert len(found) > 100
    assert ((mass >= np.float32(low)) & (mass <= np.float32(high))).all()
    spectrum = hists.spectrum(row.observable, row.cell)
    inside = (spectrum.edges[:-1] >= low) & (spectrum.edges[1:] <= high)
    assert spectrum.counts[inside].sum() <= len(found)


def test_another_output_or_plan_is_refused(report, hists, files):
    with pytest.raises(InputError, match="give the output that was scanned"):
        ddp.region_events(report, ddp.run(PLAN, files[0]))
    with pytest.raises(InputError, match="give the plan of the report"):
        ddp.select_events(report, dataclasses.replace(PLAN, max_stored=7), files)
    for bad in (0, 10**9, "x"):
        with pytest.raises(InputError, match="row"):
            ddp.region_events(report, hists, row=bad)


# -- lists -------------------------------------------------------------------------------------------------------------


def test_lists_are_read_as_they_were_written(report, hists, tmp_path):
    found = ddp.region_events(report, hists, row=1)
    identity = np.stack([found.columns[name] for name in IDENTITY], axis=1)
    for name in ("e.txt", "e.csv", "e.parquet"):
        path = found.save(tmp_path / name)
        np.testing.assert_array_equal(read_identity(path), identity)
        assert found.save(path) == path  # an older one is replaced
    features = pd.read_parquet(tmp_path / "e.parquet")
    pd.testing.assert_frame_equal(features, found.to_dataframe(), check_dtype=False)


def test_a_list_of_somebody_else_is_not_replaced(report, hists, tmp_path):
    found = ddp.region_events(report, hists, row=1)
    for name, content in (("e.txt", b"1:2:3\n"), ("e.csv", b"run,event\n1,2\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match="is there already"):
            found.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
    pd.DataFrame({"run": [1]}).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(FileError, match="is there already"):
        found.save(tmp_path / "e.parquet")
    with pytest.raises(InputError, match=r"\.txt .*\.csv or \.parquet"):
        found.save(tmp_path / "e.root")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1:2\n", "is no event"), (b"1:2:x\n", "is no event"), (b"\xff\xfe\x00", "neither text"),
        (b"run,event\n1,2\n", "no column 'luminosityBlock'"), (b"PAR1xxxx", "cannot be read as a table"),
        (b"1:2:99999999999999999999999\n", "larger than"), (b"run,luminosityBlock,event\n1,2,x\n", "whole numbers"),
        (b"run,luminosityBlock,event\n1,2,-1\n", "whole numbers"), (b"run,luminosityBlock,event\n1,2,\n", "whole num"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_an_error(tmp_path, content, message):
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_identity(path)


# -- skims -------------------------------------------------------------------------------------------------------------


def plain(values):
    return ak.to_list(values)


def test_a_skim_holds_the_chosen_events_with_all_their_branches(report, hists, files, tmp_path):
    found = ddp.region_events(report, hists, row=1)
    done = ddp.skim(found, files, tmp_path / "skims")
    assert (done.n_found, len(done.not_found)) == (len(found), 0)
    total = []
    for one in done.files:
        with uproot.open(one.source) as source, uproot.open(one.output) as small:
            old, new = source["Events"], small["Events"]
            assert set(new.keys()) == set(old.keys())
            identity = np.stack([new[name].array(library="np") for name in IDENTITY], axis=1)
            total += identity.tolist()
            where = {tuple(row): place for place, row in enumerate(
                np.stack([old[name].array(library="np") for name in IDENTITY], axis=1).tolist())}  # fmt: skip
            places = [where[tuple(row)] for row in identity.tolist()]
            for name in old.keys():  # noqa: SIM118
                before, after = old[name].array()[places], new[name].array()
                assert (
                    plain(after) == pytest.approx(plain(before), nan_ok=True)
                    if before.ndim == 1
                    else (plain(after) == plain(before))
                ), name
    chosen = np.stack([found.columns[name] for name in IDENTITY], axis=1).tolist()
    assert sorted(total) == sorted(chosen)


def test_a_skim_gives_the_same_histograms_of_its_events(report, hists, files, tmp_path):
    found = ddp.region_events(report, hists, row=1)
    done = ddp.skim(found, files, tmp_path / "skims")
    again = ddp.run(PLAN, [str(one.output) for one in done.files])
    row = report.rows[0]
    counts = again.cell_counts(row.symmetry).counts.sum(axis=(0, 2))
    assert counts.tolist() == [row.n_a, row.n_b]


def same_branches(source, output, chosen):
    """Assert that a skim has all branches of chosen events of a file, and no others; parts of branches left out."""
    with uproot.open(source) as file, uproot.open(output) as small:
        old, new = file["Events"], small["Events"]
        names = {name for name in old.keys() if "." not in name and not name.startswith("_")}  # noqa: SIM118
        assert set(new.keys()) == names
        inside = np.isin(old["event"].array(library="np"), chosen)
        for name in names:  # text, since NaN is in the lists of real files
            assert str(plain(new[name].array())) == str(plain(old[name].array()[inside])), name


@pytest.mark.parametrize(
    "name",
    [
        "nanoaod_real/nano_tt_v12.root", "cms_real/cms_eventdisplay_allobjects.root",
        pytest.param("nanoaod_real/nano_tt_v15.root", marks=pytest.mark.slow),
        pytest.param("nanoaod_real/nano_dimuon_rntuple.root", marks=pytest.mark.slow),
        pytest.param("nanoaod_real/nanoAOD_2015_CMS_Open_Data_ttbar.root", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_real_files_keep_every_branch(shared, tmp_path, name):
    path = str(shared(name))
    with uproot.open(path) as file:
        some = file["Events"].arrays(IDENTITY)[[0, 4, 7]]
    (tmp_path / "list.txt").write_text("".join(f"{e.run}:{e.luminosityBlock}:{e.event}\n" for e in some))
    done = ddp.skim(tmp_path / "list.txt", path, tmp_path / "skims")
    assert done.n_found == 3
    assert done.files[0].left_out == ()
    same_branches(path, done.files[0].output, [e.event for e in some])


def test_rntuples_are_skimmed_too(tmp_path):
    path = make_nanoaod(tmp_path / "n.root", events=300, seed=1, container="rntuple")
    with uproot.open(path) as file:
        event = file["Events"].arrays(IDENTITY)[:3]
    (tmp_path / "list.txt").write_text("".join(f"{e.run}:{e.luminosityBlock}:{e.event}\n" for e in event))
    done = ddp.skim(tmp_path / "list.txt", path, tmp_path / "skims")
    assert done.n_found == 3
    with uproot.open(done.files[0].output) as small, uproot.open(path) as file:
        assert plain(small["Events"]["Muon_pt"].array()) == plain(file["Events"]["Muon_pt"].array()[:3])


def test_events_that_no_file_holds_are_named_and_others_files_stay(files, tmp_path):
    (tmp_path / "list.txt").write_text("1:1:1\n")
    done = ddp.skim(tmp_path / "list.txt", files, tmp_path / "skims")
    assert (done.n_found, done.not_found.tolist(), done.files) == (0, [[1, 1, 1]], ())
    (tmp_path / "skims" / "one_skim.root").write_bytes(b"mine")
    with pytest.raises(FileError, match="is there already"):
        ddp.skim(tmp_path / "list.txt", files, tmp_path / "skims")
    assert (tmp_path / "skims" / "one_skim.root").read_bytes() == b"mine"


def test_files_without_identity_or_of_another_kind_are_errors(tmp_path):
    (tmp_path / "list.txt").write_text("1:1:1\n")
    no_run = make_nanoaod(tmp_path / "n.root", events=50, seed=1, drop=["run"])
    (tmp_path / "x.root").write_bytes(b"no file")
    for path, message in ((no_run, "no branch 'run'"), (tmp_path / "x.root", "cannot be read")):
        with pytest.raises(FileError, match=message):
            ddp.skim(tmp_path / "list.txt", path, tmp_path / "skims")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match="no event is chosen"):
        ddp.skim(tmp_path / "empty.txt", no_run, tmp_path / "skims")
    with pytest.raises(DDPError):
        ddp.skim(3, no_run, tmp_path / "skims")
