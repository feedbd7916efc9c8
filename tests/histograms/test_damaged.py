"""Files of events that contradict themselves: named as missing or counted as they are, and never the plan's fault.

Every mutation is drawn from a seed; a failure names it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
from archives import make_plan

from coffea_ddp import testing
from coffea_ddp.cli import main
from coffea_ddp.errors import FileError, InputError, PlanError
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.histograms.io import load
from coffea_ddp.running.driver import run, run_by_dataset
from coffea_ddp.running.executors import Local
from coffea_ddp.running.options import Reading
from coffea_ddp.testing.generator.branches import branches

# coffea's own, of RNTuples: as for users, no error.
pytestmark = pytest.mark.filterwarnings("ignore:the filter_branch kwarg:DeprecationWarning")

EVENTS = 300
CLUSTER = 100
PLAN = make_plan(max_stored=50)
LISTS = [f"Muon_{name}" for name in ("pt", "eta", "phi", "charge")]
READ = ["run", "luminosityBlock", "event", *LISTS]
KINDS = get_args(testing.Damage)
SKIP = [False, True]


@pytest.fixture(scope="module", autouse=True)
def _no_depth_left() -> Iterator[None]:
    """Let finalizers fail where a damaged file has led its reader to the limit of recursion: nobody waits for them."""
    tell = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, RecursionError):
            tell(unraisable)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", hook)
        yield


def make_file(path: Path, *, seed: int = 4, **options: Any) -> Path:
    """Write a small file of little more than the plan reads."""
    drop = [branch.full_name for branch in branches(9) if branch.full_name not in (*READ, "MET_pt")]
    return testing.make_nanoaod(path, events=EVENTS, seed=seed, drop=drop, cluster=CLUSTER, **options)


def result(hists: Histograms) -> tuple[Any, ...]:
    return hists.counts, hists.events, hists.cutflow, hists.n_events


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("good") / "good.root", compression="none")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_file(tmp_path_factory.mktemp("good") / "other.root", seed=5)


# -- chosen damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["Muon_pt", "Muon_charge"])
@pytest.mark.parametrize("damage", KINDS)
def test_the_damaged_file_is_missing_and_the_others_are_counted(
    good: Path, other: Path, tmp_path: Path, damage: testing.Damage, branch: str
) -> None:
    bad = testing.make_damaged(good, tmp_path / "bad.root", damage=damage, branch=branch)
    alone = result(run(PLAN, other))
    for skip in SKIP:
        found = run(PLAN, [bad, other], reading=Reading(skip_bad_files=skip))
        assert [Path(one.filename).name for one in found.missing] == ["bad.root"]
        assert f"{bad}: damaged: the lengths of Muon_" in found.missing[0].reason
        assert result(found) == alone


@pytest.mark.parametrize("executor", [Local(1), "dask-awkward"], ids=str)
def test_every_executor_sees_it(good: Path, tmp_path: Path, executor: str | Local) -> None:
    bad = testing.make_damaged(good, tmp_path / "bad.root", damage="count moved", branch="Muon_pt")
    if executor == "dask-awkward":  # it skips nothing
        with pytest.raises(FileError, match=r"bad\.root: damaged: the lengths of Muon_"):
            run(PLAN, bad, executor=executor)
        return
    found = run(PLAN, bad, executor=executor, reading=Reading(skip_bad_files=True))
    assert found.n_events == 0
    assert "damaged: the lengths of Muon_" in found.missing[0].reason


def test_only_the_chunks_that_touch_the_damage_are_missing(good: Path, tmp_path: Path) -> None:
    bad = testing.make_damaged(good, tmp_path / "bad.root", damage="zeroed offsets", branch="Muon_eta")
    found = run(PLAN, bad, reading=Reading(chunksize=CLUSTER))
    assert [(one.start, one.stop) for one in found.missing] == [(CLUSTER, 2 * CLUSTER)]
    assert found.n_events == EVENTS - CLUSTER


@pytest.mark.parametrize("options", [[], ["--skip-bad-files"]])
@pytest.mark.parametrize("damage", KINDS)
def test_the_command_ends_with_2_and_names_the_file(
    good: Path,
    other: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: testing.Damage,
    options: list[str],
) -> None:
    bad = testing.make_damaged(good, tmp_path / "bad.root", damage=damage, branch="Muon_pt")
    output = tmp_path / "h.ddp"
    plan = tmp_path / "plan.py"
    plan.write_text("import coffea_ddp as ddp\nfrom archives import make_plan\nplan = make_plan()\n")
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in ("run", plan, bad, other, "-o", output, "--executor", "iterative", *options)])
    said = "".join(capsys.readouterr())
    assert ended.value.code == 2, said
    assert "bad.root" in said
    assert "plan failed" not in said
    assert load(output).n_events == EVENTS


@pytest.mark.parametrize("skip", SKIP)
@pytest.mark.parametrize(
    "options",
    [{"weight": lambda ev: ev.count("mu") / ev.nothing}, {"selection": lambda ev: ev.leading("mu").pt["no such"] > 0}],
    ids=["weight", "selection"],
)
def test_a_fault_of_the_plan_still_stops_the_run(other: Path, options: dict[str, Any], skip: bool) -> None:
    with pytest.raises(PlanError, match=r"other\.root: the plan failed with .*test_damaged\.py, line"):
        run(make_plan(**options), other, reading=Reading(skip_bad_files=skip))


def test_damage_that_cannot_be_done_is_explained(good: Path, other: Path, tmp_path: Path) -> None:
    target = tmp_path / "bad.root"
    for source, options, message in (
        (other, {"damage": "count moved", "branch": "Muon_pt"}, "compression='none'"),
        (good, {"damage": "count moved", "branch": "MET_pt"}, "branch='MET_pt': no branch of lists"),
        (good, {"damage": "count moved", "branch": "Jet_pt"}, "branch='Jet_pt': no branch of lists"),
        (good, {"damage": "rust", "branch": "Muon_pt"}, "damage='rust'"),
    ):
        with pytest.raises(InputError, match=message):
            testing.make_damaged(source, target, **options)
    with pytest.raises(InputError, match="compression='rar'"):
        make_file(target, compression="rar")
    assert not target.exists()


# -- damage by chance --------------------------------------------------------------------------------------------------


def make_parquet(path: Path) -> Path:
    with uproot.open(make_file(path.with_suffix(".source"))) as file:
        ak.to_parquet(file["Events"].arrays(), path, row_group_size=CLUSTER)
    return path


def packed(container: testing.Container, compression: testing.Compression) -> Callable[[Path], Path]:
    return lambda path: make_file(path, container=container, compression=compression)


MAKERS: dict[str, Callable[[Path], Path]] = {
    **{f"ttree {name}": packed("ttree", name) for name in get_args(testing.Compression)},
    **{f"rntuple {name}": packed("rntuple", name) for name in get_args(testing.Compression)[::4]},
    "parquet": make_parquet,
}
CHECKED = ["ttree zlib", "ttree lz4", "ttree lzma"]
"""Where the compression carries a checksum of the content."""


def mutated(content: bytes, seed: int) -> bytes:
    """Return the beginning of a file, or a file with one to three other bits, or with up to 63 other bytes."""
    rng = np.random.default_rng(seed)
    mode = rng.integers(3)
    if mode == 0:
        return content[: rng.integers(len(content))]
    changed = bytearray(content)
    if mode == 1:
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            changed[place] ^= 1 << int(rng.integers(8))
    else:
        place = rng.integers(len(content) - 63)
        size = int(rng.integers(1, 64))
        changed[place : place + size] = rng.bytes(size)
    return bytes(changed)


def columns_of(path: Path) -> dict[str, ak.Array]:
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path).read(READ)
        return {name: ak.Array(table[name].to_pylist()) for name in READ}
    with uproot.open(path) as file:
        return dict(file["Events"].arrays(READ, how=dict))


def only_content_differs(path: Path, original: Path) -> bool:
    """Tell whether two files have equal numbers of events and of objects in each, and other values."""
    found, wanted = columns_of(path), columns_of(original)
    equal_shapes = all(ak.array_equal(ak.num(found[name]), ak.num(wanted[name])) for name in LISTS)
    lengths = {len(found[name]) for name in READ}
    return equal_shapes and lengths == {EVENTS} and any(found[n].to_list() != wanted[n].to_list() for n in READ)


@pytest.mark.parametrize("kind", MAKERS)
def test_whatever_happens_to_a_file_it_is_missing_or_counted_as_it_is(kind: str, tmp_path: Path) -> None:
    """One run over all mutations, each a dataset of its own: none of them stops it."""
    source = MAKERS[kind](tmp_path / f"good.{'parquet' if kind == 'parquet' else 'root'}")
    files = {"good": source}
    for seed in range(40):
        files[f"seed {seed}"] = source.with_stem(f"bad_{seed}")
        files[f"seed {seed}"].write_bytes(mutated(source.read_bytes(), seed))
    found = run_by_dataset(PLAN, {name: [path] for name, path in files.items()}, reading=Reading(skip_bad_files=True))
    assert found.keys() == files.keys()
    good = found.pop("good")
    assert good.n_events == EVENTS
    ends = {"missing": 0, "equal": 0, "content": 0}
    for name, hists in found.items():
        if hists.missing:
            reasons = [one.reason for one in hists.missing]
            assert all(str(files[name]) in reason and "plan failed" not in reason for reason in reasons), name
            assert hists.n_events == 0, name
            ends["missing"] += 1
        elif result(hists) == result(good):
            ends["equal"] += 1
        else:
            assert kind not in CHECKED, name
            assert only_content_differs(files[name], source), name
            ends["content"] += 1
    assert ends["missing"] > 10
    assert ends["equal"] > 3
