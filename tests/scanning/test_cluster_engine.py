"""Scans on real scheduler and worker processes in another directory: the report of threads, whatever happens there."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from clusters import edited, facility
from console import invoke
from mass_spectra import spectra_in_cells
from stored_toys import make_events
from toys import scan_expecting

from coffea_ddp.cluster.connecting import connect
from coffea_ddp.errors import ClusterError, DDPError, InputError
from coffea_ddp.scanning import bump_works, cluster_engine, symmetry_scan
from coffea_ddp.scanning.binned_tests import NSigma, Submatrix
from coffea_ddp.scanning.cluster_engine import ClusterWorkers
from coffea_ddp.scanning.driver import scan
from coffea_ddp.scanning.nplm_cells import NPLM
from coffea_ddp.scanning.own_function import CellTest

distributed = pytest.importorskip("distributed", reason="needs the extra `dask`")
dask = pytest.importorskip("dask")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:.*unclosed.*")

TOYS, BLOCKS = 700, 11
"""Pseudo-experiments, and blocks of them: five tasks of two, and one."""
OPTIONS = {"toys": TOYS, "seed": 3, "min_events": 10, "best": 50}


def of_number(a, b, ratio):
    """Return the pull of the number of events, on workers slowly; say who was asked."""
    import os
    import time

    folder = os.environ.get("SCAN_FOLDER")
    if folder:
        Path(folder, str(os.getpid())).touch()
    time.sleep(float(os.environ.get("SCAN_SLEEP", "0")))
    return (b - ratio * a).sum(axis=1) / np.sqrt((ratio * (a + b)).sum(axis=1))


def deadly(a, b, ratio):
    """Return the same; kill a worker."""
    import os
    import signal

    if "SCAN_FOLDER" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return of_number(a, b, ratio)


OWN = CellTest("own", of_number)
TESTS = (NSigma(), Submatrix(), OWN)


def text(report):
    return json.dumps(report.to_dict())


@pytest.fixture(scope="module")
def hists():
    return make_events(1_500, 1, excess=40)


@pytest.fixture(scope="module")
def threads(hists):
    """Return the report that threads make."""
    return text(scan(hists, TESTS, **OPTIONS))


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, seen):
    with facility(tmp_path_factory.mktemp("facility"), SCAN_FOLDER=str(seen)) as found:
        with connect(found.address) as client:
            client.wait_for_workers(2, timeout=300)
        yield found


@pytest.fixture
def _few_spectra_at_a_time(monkeypatch):
    monkeypatch.setattr(bump_works, "AT_ONCE", 8)


@pytest.fixture
def client(cluster):
    """Connect; whoever sends much is not advised against it (a warning is an error here)."""
    few = dask.config.set({"distributed.admin.large-graph-warning-threshold": "100kB"})
    with few, connect(cluster.address) as found:
        yield found


class Telling:
    """Progress: does something once, at the first block; counts blocks by their observables."""

    def __init__(self, action=lambda: None, at=1):
        self.action, self.at, self.blocks, self.steps = action, at, 0, []

    def __call__(self, done, total, what):
        self.steps.append((done, total))
        if done > total // (1 + BLOCKS):  # all observables are tested
            self.blocks += 1
            if self.blocks == self.at:
                self.action()


# -- the same report -----------------------------------------------------------------------------------------------


def test_two_workers_make_the_report_of_threads(hists, threads, client, seen):
    told = Telling()
    assert text(scan(hists, TESTS, client=client, progress=told, **OPTIONS)) == threads
    assert len(list(seen.iterdir())) == 2
    done = [step for step, _ in told.steps]
    assert done == sorted(done)
    n_observables = len({(row["symmetry"], row["observable"]) for row in json.loads(threads)["rows"]})
    assert told.steps[-1] == (n_observables * (1 + BLOCKS),) * 2
    assert told.blocks >= n_observables * BLOCKS
    assert not client.who_has()  # nothing is left on the workers


@pytest.mark.parametrize(
    "options",
    [
        {"kappa": 1.3, "kappa_error": 0.02, "systematic": 0.05, "symmetries": ["e/mu"]},
        {"kappa": "cell"},
        {"null": "fixed"},
        {"kappa": "global", "null": "binomial"},
    ],
    ids=["uncertain", "cell", "fixed", "global"],
)
def test_the_report_of_threads_whatever_is_expected(hists, client, options):
    given = {"tests": (NSigma(), Submatrix()), **OPTIONS, **options}
    assert text(scan_expecting(hists, client=client, **given)) == text(scan_expecting(hists, **given))


def test_weights_and_dropped_events(client):
    for hists in (make_events(600, 2, weighted=True), make_events(1_500, 1, max_stored=20)):
        options = {"tests": "nsigma", "toys": 200, "min_events": 10}
        assert text(scan(hists, client=client, **options)) == text(scan(hists, **options))


def test_tests_of_events_are_made_here(hists, client, caplog):
    given = {"tests": ("nsigma", NPLM(fits=0)), "toys": 128, "min_events": 10, "symmetries": ["e/mu"]}
    with caplog.at_level("INFO", logger="coffea_ddp"):
        assert text(scan(hists, client=client, **given)) == text(scan(hists, **given))
    assert "nplm: made by this process, not by the workers" in caplog.text


@pytest.mark.usefixtures("_few_spectra_at_a_time")
def test_spectra_are_searched_by_the_workers(client, monkeypatch):
    hists, told = spectra_in_cells(), []
    options = {"tests": "bump", "toys": 100, "seed": 2}
    here = text(scan(hists, jobs=1, **options))

    def nowhere(*_args):
        raise AssertionError("searched by this process")

    for name in ("searched", "toys_beyond"):
        monkeypatch.setattr(bump_works, name, nowhere)
    report = scan(hists, client=client, progress=lambda *step: told.append(step), **options)
    assert text(report) == here
    assert not client.who_has()
    done = [step for step, _, _ in told]
    assert done[0] == 0 < done[1] < done[-1] == told[-1][1]
    assert done == sorted(done)
    assert any("toys of the best" in what for _, _, what in told)


@pytest.mark.usefixtures("_few_spectra_at_a_time")
def test_spectra_on_the_command_line(cluster, tmp_path, capfd):
    path = spectra_in_cells().save(tmp_path / "spectra.ddp")
    given = ("scan", path, "--tests", "bump", "--toys", 50, "-o")
    assert invoke(capfd, *given, tmp_path / "here.json")[0] == 0
    assert invoke(capfd, *given, tmp_path / "there.json", "--scheduler", cluster.address)[0] == 0
    assert (tmp_path / "here.json").read_bytes() == (tmp_path / "there.json").read_bytes()


def test_on_the_command_line(hists, cluster, tmp_path, capfd):
    pytest.importorskip("bokeh", reason="draws Dask's report")
    path = hists.save(tmp_path / "h.ddp")
    given = ("scan", path, "--tests", "nsigma,submatrix", "--toys", 200, "--min-events", 10, "-o")
    assert invoke(capfd, *given, tmp_path / "here.json")[0] == 0
    where = ("--scheduler", cluster.address, "--performance-report", tmp_path / "dask.html")
    code, _, err = invoke(capfd, "-v", *given, tmp_path / "there.json", *where)
    assert code == 0, err
    assert "2 workers, all of this version" in err
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    assert "bokeh" in (tmp_path / "dask.html").read_text().lower()


def test_few_observables_are_on_their_way_at_a_time(hists, threads, client, monkeypatch):
    """They go one by one where they are large, and are made when there is room for them."""
    monkeypatch.setattr(cluster_engine, "_MOST_BYTES", 0)
    under_way, most = 0, 0
    results = ClusterWorkers.results

    def counted(self, works, done):
        def some():
            nonlocal under_way, most
            for work in works:
                under_way += 1
                most = max(most, under_way)
                yield work

        nonlocal under_way
        for found in results(self, some(), done):
            under_way -= 1
            yield found

    monkeypatch.setattr(ClusterWorkers, "results", counted)
    assert text(scan(hists, TESTS, client=client, **OPTIONS)) == threads
    assert most == 1


def test_tests_of_the_data_are_made_by_the_workers(hists, client, seen, monkeypatch):
    """Also without pseudo-experiments, and in as many parts as the cells need."""
    for one in seen.iterdir():
        one.unlink()
    given = {"tests": (NSigma(), Submatrix(), OWN), "toys": 0, "min_events": 10}
    here = text(scan(hists, **given))
    for cells in (4096, 7):
        monkeypatch.setattr(symmetry_scan, "PART", cells)
        assert text(scan(hists, client=client, **given)) == here
    assert len(list(seen.iterdir())) == 2


# -- workers that come and go ----------------------------------------------------------------------------------------


@pytest.fixture
def _few_at_a_time(monkeypatch):
    """Send no more than two tasks for each thread: most are left for workers that join."""
    monkeypatch.setattr(cluster_engine, "_MORE", 0)


@pytest.mark.usefixtures("_few_at_a_time")
def test_a_worker_of_two_threads_one_that_joins_late_and_one_that_is_killed(hists, threads, tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()
    with facility(tmp_path / "facility", workers=0, SCAN_FOLDER=str(seen), SCAN_SLEEP="0.002") as found:
        found.add_worker("first", threads=2)
        with connect(found.address) as client:

            def join():
                assert len(list(seen.iterdir())) == 1
                found.add_worker("late")
                client.wait_for_workers(2, timeout=300)

            assert text(scan(hists, TESTS, client=client, progress=Telling(join), **OPTIONS)) == threads
            assert len(list(seen.iterdir())) == 2
            killed = Telling(found.kill_a_worker, at=5)
            assert text(scan(hists, TESTS, client=client, progress=killed, **OPTIONS)) == threads
            assert killed.blocks > 5


def test_all_workers_are_killed_and_start_again(hists, threads, client, cluster):
    """What they held is on the scheduler: what was sent as well as what is to be done."""

    def kill():
        for process in cluster.worker_processes():
            process.kill()

    assert text(scan(hists, TESTS, client=client, progress=Telling(kill, at=3), **OPTIONS)) == threads


def test_workers_that_die_of_the_work_are_an_error(hists, client, monkeypatch):
    monkeypatch.setattr(cluster_engine, "_DEATHS", 1)
    with pytest.raises(ClusterError, match=r"the workers that were at work on it died, again and again .*memory"):
        scan(hists, CellTest("deadly", deadly), client=client, **OPTIONS)
    deadline = time.monotonic() + 300.0
    while any(client.processing().values()):  # what was under way is let go of; nothing of it begins anew
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.usefixtures("_few_at_a_time")
def test_a_worker_of_other_code_that_joins_late_makes_nothing(hists, threads, tmp_path, caplog):
    other = edited(tmp_path, "scanning/pseudo_experiments.py", "found = [\n", "found = [\n            # another\n")
    seen = tmp_path / "seen"
    seen.mkdir()
    with (
        facility(tmp_path / "facility", workers=1, SCAN_FOLDER=str(seen), SCAN_SLEEP="0.002") as found,
        connect(found.address) as client,
    ):

        def join():
            found.add_worker("late", PYTHONPATH=str(other), nanny=False)
            client.wait_for_workers(2, timeout=300)

        assert text(scan(hists, TESTS, client=client, progress=Telling(join), **OPTIONS)) == threads
        assert len(list(seen.iterdir())) == 1
        assert "it gets no more work" in caplog.text
        with pytest.raises(ClusterError, match="install the same on both"):
            scan(hists, TESTS, client=client, **OPTIONS)


@pytest.mark.parametrize("on_command_line", [False, True])
def test_a_lost_scheduler_is_an_error(hists, tmp_path, capfd, monkeypatch, on_command_line):
    with facility(tmp_path / "facility", workers=1, SCAN_SLEEP="0.01") as found:

        def kill(*_):
            # How long a client tries to reach a scheduler that it has lost.
            monkeypatch.setitem(dask.config.config["distributed"]["comm"]["timeouts"], "connect", "2s")
            found.scheduler.kill()

        if not on_command_line:
            said = r"scheduler at tcp.* was lost.*; what was found is not kept: connect"
            with connect(found.address) as client, pytest.raises(ClusterError, match=said):
                scan(hists, TESTS, client=client, progress=Telling(kill), **OPTIONS)
            return
        path = hists.save(tmp_path / "h.ddp")
        results = ClusterWorkers.results
        monkeypatch.setattr(ClusterWorkers, "results", lambda self, works, _: results(self, works, kill))
        given = ("--tests", "nsigma", "--toys", 20_000, "--min-events", 10, "--scheduler", found.address)
        code, out, err = invoke(capfd, "scan", path, *given, "-o", tmp_path / "r.json")
        assert (code, out) == (1, "")
        assert "was lost" in err
        assert "Traceback" not in err
        assert not (tmp_path / "r.json").exists()


def test_no_worker_is_left(hists, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_engine, "ClusterWorkers", lambda client: ClusterWorkers(client, patience=3.0))
    with facility(tmp_path / "facility", workers=1, SCAN_SLEEP="0.01") as found, connect(found.address) as client:
        gone = Telling(lambda: found.kill_a_worker(for_good=True))
        with pytest.raises(ClusterError, match=r"has had no worker for \d+ s; what was found is not kept"):
            scan(hists, OWN, client=client, progress=gone, **OPTIONS)


# -- tests of one's own ----------------------------------------------------------------------------------------------


def test_functions_of_files_travel(hists, client, tmp_path, monkeypatch):
    """Two files beside a script, of which the workers have none."""
    (tmp_path / "of_ours.py").write_text("import numpy as np\n\ndef root(x):\n    return np.sqrt(x)\n")
    (tmp_path / "my_statistics.py").write_text(
        "from of_ours import root\n\ndef pull(a, b, ratio):\n"
        "    return (b - ratio * a).sum(axis=1) / root((ratio * (a + b)).sum(axis=1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    test = CellTest("pull", importlib.import_module("my_statistics").pull)
    assert text(scan(hists, test, client=client, **OPTIONS)) == text(scan(hists, test, **OPTIONS))


def test_what_cannot_travel_is_told_before_anything_is_done(hists, client):
    lock = threading.Lock()

    def locked(a, b, ratio):
        with lock:
            return of_number(a, b, ratio)

    told = Telling()
    with pytest.raises(InputError, match=r"the test 'locked' cannot be sent to workers .*lock.*scan without client"):
        scan(hists, CellTest("locked", locked), client=client, progress=told, **OPTIONS)
    assert not told.steps


def test_what_workers_cannot_import_is_told(hists, client, monkeypatch):
    mine = types.ModuleType("installed_here_alone")
    mine.root = np.sqrt
    monkeypatch.setitem(sys.modules, mine.__name__, mine)

    def rooted(a, b, ratio):
        import installed_here_alone

        return installed_here_alone.root((b - a).sum(axis=1) ** 2)

    with pytest.raises(
        ClusterError, match=r"a worker cannot import what a test needs .*installed_here_alone.*install them"
    ):
        scan(hists, CellTest("rooted", rooted), client=client, **OPTIONS)


def test_faults_of_functions_are_those_of_threads(hists, client):
    def wrong(a, b, ratio):
        return of_number(a, b, ratio) if len(np.atleast_1d(ratio)) > 1 or a.sum() < 0 else np.zeros(1 + len(a))

    def fails(a, b, ratio):
        if ratio.shape == (1, 1):  # of pseudo-experiments
            raise ZeroDivisionError("of my own")
        return of_number(a, b, ratio)

    for function, error in ((wrong, InputError), (fails, ZeroDivisionError)):
        told = []
        for where in ({}, {"client": client}):
            with pytest.raises(error) as found:
                scan(hists, CellTest("mine", function), observables=["x"], symmetries=["e/mu"], **OPTIONS, **where)
            told.append(str(found.value))
        assert told[0] == told[1]


# -- what has no effect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tests": NPLM(fits=0)}, "client has no effect on nplm: it needs a test of counts or of mass spectra"),
        (
            {"client": "tcp://host:8786"},
            r"scan\(hists, client=client\): got the text .*client=Client\('tcp://host:8786'\)",
        ),
        ({"client": 3}, "give a dask.distributed.Client"),
    ],
)
def test_a_client_that_is_none_or_without_effect_is_an_error(hists, options, message):
    class Client:
        submit = scheduler_info = None

    with pytest.raises(DDPError, match=message):
        scan(hists, **{"client": Client(), "toys": 10, **options})
