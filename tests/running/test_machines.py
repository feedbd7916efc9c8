"""What machines do to a run: memory that ends, clients that are killed, pipes for files, listeners that are silent."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clusters import command

from coffea_ddp import testing
from coffea_ddp._files import check_input
from coffea_ddp.cli import main
from coffea_ddp.cli.terminal import said_by_system
from coffea_ddp.cluster import connecting
from coffea_ddp.cluster.connecting import connect
from coffea_ddp.errors import ClusterError, FileError
from coffea_ddp.plan.plan_files import load_plan
from coffea_ddp.plan.selections import GoodRuns
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Iterative, Local

ODD = 61
"""A file with so many events has the chunk with which things happen."""
PLAN = f"""
import os, time
import numpy as np
from coffea_ddp.plan.observables import Feature, observable
from coffea_ddp.events.objects import ObjectDefinition
from coffea_ddp.plan.plan import ScanPlan
from coffea_ddp.plan.symmetry import Symmetry

def odd(ev):
    time.sleep(float(os.environ.get("PLAN_SLEEP", "0")))
    if ev.n_events == {ODD}:
        np.ones(2**50)
    return np.ones(ev.n_events, dtype=bool)

pt = Feature("pt", "pT", "GeV", lambda ev: ev.leading("mu").pt, 0.0, 100.0)
charge = Symmetry(
    "mu-/mu+",
    a=lambda ev: ev.leading("mu").charge < 0,
    b=lambda ev: ev.leading("mu").charge > 0,
    observables=(observable(pt, bins=20),),
)
plan = ScanPlan("odd", (charge,), objects=(ObjectDefinition("mu", "Muon", charged=True),), selection=odd)
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "odd.py"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return testing.make_dataset(tmp_path_factory.mktemp("files"), files=2, events=800, seed=5, cluster=100)


@pytest.mark.parametrize("executor", [Iterative(), Local(1)], ids=repr)
def test_a_chunk_for_which_memory_does_not_suffice_is_missing(
    plan: Path, files: list[Path], tmp_path: Path, executor: Iterative | Local
) -> None:
    odd = testing.make_nanoaod(tmp_path / "odd.root", events=ODD, seed=9)
    hists = run(plan, [odd, *files], executor=executor)
    (missing,) = hists.missing
    assert (missing.filename, missing.start, missing.stop) == (str(odd), 0, ODD)
    assert "not enough memory for a chunk" in missing.reason
    assert "give a smaller chunksize" in missing.reason
    assert hists.counts == run(plan, files).counts


# -- processes ---------------------------------------------------------------------------------------------------------


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def stored(folder: Path) -> list[Path]:
    """Return the chunks that are stored so far; none where a folder goes while it is read."""
    try:
        return list(folder.rglob("*-*-*.ddp"))
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_client(plan: Path, files: list[Path], tmp_path: Path, number: signal.Signals) -> None:
    output = tmp_path / "h.ddp"
    arguments = ("run", plan, *files, "-o", output, "--chunksize", 100, "--executor", "futures", "--workers", 2)
    process = command(*arguments, env={**os.environ, "PLAN_SLEEP": "0.5"})
    deadline = time.monotonic() + 300
    while not stored(Path(f"{output}.parts")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert gone(children, 60.0)
    assert list(Path(f"{output}.parts").rglob("*-*-*.ddp"))
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert err.rstrip().endswith(
            "terminated; `coffea-ddp run ... --resume` goes on from the chunks that were finished"
        )
        assert "Traceback" not in err


# -- pipes in place of files -------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def hangs(*_: object) -> None:
        raise AssertionError("it waits for the pipe")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(60)
    yield path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "arguments",
    [
        "run PIPE nano.root -o h.ddp",
        "run PIPE.py nano.root -o h.ddp",
        "run symmetries PIPE -o h.ddp",
        "run symmetries PIPE.json -o h.ddp",
        "run symmetries PIPE.root -o h.ddp",
        "validate symmetries PIPE.json",
        "merge PIPE -o h.ddp",
        "scan PIPE -o r.json",
        "report PIPE -o report",
        "spectra PIPE -o s.json",
        "bump PIPE",
        "bump PIPE.csv",
        "bump PIPE.json",
        "bump PIPE.root",
        "compare PIPE PIPE",
        "compare PIPE.npy PIPE.npy",
        "sensitivity PIPE.npy PIPE.npy",
    ],
)
def test_a_pipe_is_refused_as_an_input(
    pipe: Path, arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for ending in (".py", ".json", ".root", ".csv", ".npy"):
        os.mkfifo(tmp_path / f"pipe{ending}")
    testing.make_nanoaod(tmp_path / "nano.root", events=20, seed=1)
    with pytest.raises(SystemExit) as ended:
        main(arguments.replace("PIPE", "pipe").split())
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert "is a pipe, not a file; save what comes from it in a file" in err, err
    assert "bug" not in err


def test_other_inputs_that_are_pipes(pipe: Path) -> None:
    for read in (GoodRuns.from_file, load_plan, check_input):
        with pytest.raises(FileError, match="is a pipe, not a file"):
            read(pipe)


# -- what the system says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["run symmetries nano.root -o h.ddp", "scan h.ddp", "bump a.csv"])
def test_a_working_directory_that_is_deleted(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    monkeypatch.chdir(tmp_path)
    err = capsys.readouterr().err
    assert ended.value.code == 1
    assert "bug" not in err, err


@pytest.mark.parametrize(
    "arguments",
    ["run LONG.py nano.root -o h.ddp", "run symmetries LONG.root -o h.ddp", "run symmetries LONG.json -o h.ddp",
     "run symmetries nano.root -o LONG.ddp", "scan LONG.ddp", "bump LONG.csv", "compare LONG.npy LONG.npy",
     "report LONG.json -o r"],
)  # fmt: skip
def test_a_path_that_is_too_long(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nano.root").touch()
    with pytest.raises(SystemExit) as ended:
        main(arguments.replace("LONG", "a" * 5_000).split())
    assert ended.value.code == 1
    assert "bug" not in capsys.readouterr().err


def test_what_the_system_says_is_said_with_what_to_do() -> None:
    assert said_by_system(OSError(errno.ENOSPC, "No space left on device", "/d/h.ddp")).startswith(
        "/d/h.ddp: no space is left there"
    )
    assert "ulimit -n" in said_by_system(OSError(errno.EMFILE, "Too many open files"))
    assert len(said_by_system(OSError(errno.ENAMETOOLONG, "File name too long", "a" * 9_000))) < 300


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux tells them")
def test_reading_an_output_leaves_no_thread(plan: Path, files: list[Path], tmp_path: Path) -> None:
    """Threads of Arrow would outlive the interpreter, which they can abort as it ends."""
    path = run(plan, files[0]).save(tmp_path / "h.ddp")
    code = (
        "import os, sys; import numpy, coffea_ddp.histograms.io as saving; "
        "count = lambda: len(os.listdir('/proc/self/task')); before = count(); "
        f"saving.load({str(path)!r}); saving.read_pair({str(path)!r}, 'mu-/mu+', 'pt'); print(count() - before)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "0\n", made.stdout + made.stderr


# -- who listens at the address of a scheduler -------------------------------------------------------------------------


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_what_is_no_scheduler_is_not_waited_for(says: bytes) -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                    kept.append(one)
                    one.sendall(says)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ClusterError, match=f"^{address}: no Dask scheduler answers there"):
            connect(address, timeout=2.0)
        assert time.monotonic() - begun < 60.0
    for one in kept:
        one.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("tcp://127.0.0.1:{port}", "nothing listens there: connection refused"),
        ("127.0.0.1:{port}", "nothing listens there: connection refused"),
        ("tcp://no.such.machine.invalid:{port}", "no machine has that name"),
    ],
)
def test_an_address_where_nothing_listens_is_refused_in_seconds(
    address: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time that a scheduler has for its start, and not by that of an answer."""
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    monkeypatch.setattr(connecting, "REFUSED", 3.0)
    place = address.format(port=free_port())
    begun = time.monotonic()
    with pytest.raises(ClusterError) as found:
        connect(place, timeout=600.0)
    assert time.monotonic() - begun < 300.0
    assert str(found.value) == (
        f"{place}: no Dask scheduler answers there ({problem}); start one (`dask scheduler`, or as your facility "
        "does), and give the address that it shows"
    )


def test_a_scheduler_that_starts_late_is_waited_for() -> None:
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    port = free_port()
    begin = f"import time; time.sleep(3); from distributed.cli.dask_scheduler import main; main(['--port', '{port}', "
    begin += "'--host', '127.0.0.1', '--no-dashboard'])"
    with subprocess.Popen([sys.executable, "-c", begin], stderr=subprocess.DEVNULL) as scheduler:
        try:
            with connect(f"tcp://127.0.0.1:{port}") as client:
                assert client.scheduler_info()["workers"] == {}
        finally:
            scheduler.terminate()


def test_a_cluster_on_this_machine_listens_to_it_alone() -> None:
    """Whoever reaches a scheduler, a worker or a nanny can run code there."""
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    here = psutil.Process()
    with connect(None, workers=1):
        listening = [
            one.laddr.ip
            for process in (here, *here.children(recursive=True))
            for one in process.net_connections(kind="inet")
            if one.status == psutil.CONN_LISTEN
        ]
    assert len(listening) >= 4  # scheduler, dashboard, nanny, worker
    assert set(listening) <= {"127.0.0.1", "::1"}
