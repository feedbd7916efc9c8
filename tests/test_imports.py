"""What importing costs: a worker pays for what it uses and for nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import coffea_ddp as ddp
from coffea_ddp.testing import make_nanoaod


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that are loaded after running ``code`` in a fresh interpreter."""
    program = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_is_light() -> None:
    heavy = {"torch", "coffea", "dask", "matplotlib", "awkward", "numba", "pandas", "hist", "scipy"}
    assert not modules_after("import coffea_ddp") & heavy


def test_the_pass_loads_neither_torch_nor_matplotlib() -> None:
    loaded = modules_after("import coffea_ddp as ddp; ddp.fill, ddp.ScanPlan, ddp.Histograms")
    assert not loaded & {"torch", "matplotlib", "dask", "pandas"}


def test_stats_knows_arrays_only() -> None:
    loaded = modules_after("from coffea_ddp.stats import n_sigma; n_sigma([[1.0]], [[2.0]])")
    assert not loaded & {"coffea", "awkward", "dask", "hist", "torch", "matplotlib"}


def test_the_bump_hunt_needs_no_torch() -> None:
    code = "from coffea_ddp import stats; stats.bump_significance([900 - 10 * i for i in range(60)], width=2.0, toys=5)"
    # numba loads awkward itself, which extends it.
    assert not modules_after(code) & {"coffea", "dask", "hist", "torch", "matplotlib"}


def test_what_reads_no_events_and_compiles_nothing_loads_no_sympy(tmp_path: Path) -> None:
    """Elsewhere coffea, or numba (which ``vector`` extends), loads ``vector``, and that sympy: more than a second."""
    data = make_nanoaod(tmp_path / "nano.root", events=300, seed=1)
    ddp.run("symmetries", data).save(tmp_path / "hists.ddp")
    code = """
from coffea_ddp.cli import cli
for command in ("merge hists.ddp -o all.ddp", "scan all.ddp --toys 0 -o report.json", "report report.json -o pages"):
    cli.main(command.split(), standalone_mode=False)"""
    loaded = modules_after(f"import os; os.chdir({str(tmp_path)!r}){code}")
    assert (tmp_path / "pages" / "index.html").is_file()
    assert not loaded & {"sympy", "vector", "coffea", "torch"}


def test_help_is_quick() -> None:
    loaded = modules_after("from coffea_ddp.cli import cli; cli.main(['--help'], standalone_mode=False)")
    assert not loaded & {"torch", "coffea", "dask", "matplotlib", "awkward", "numba", "pandas", "hist", "scipy"}


def test_few_events_start_no_process_and_compile_nothing(tmp_path: Path) -> None:
    make_nanoaod(tmp_path / "nano.root", events=1_000, seed=1)
    code = f"""
import os
os.chdir({str(tmp_path)!r})
from coffea_ddp.cli import cli
from coffea_ddp.running import local
local._pool = None
cli.main("run symmetries nano.root -o hists.ddp".split(), standalone_mode=False)
import numba.core.entrypoints
assert not numba.core.entrypoints._already_initialized  # by the first function that is compiled, or loaded"""
    assert not modules_after(code) & {"aiohttp", "IPython", "pandas", "torch", "matplotlib", "dask"}
    assert (tmp_path / "hists.ddp").is_file()


def test_every_public_name_resolves() -> None:
    for name in ddp.__all__:
        assert getattr(ddp, name) is not None
    assert set(ddp.__all__) <= set(dir(ddp))


def test_a_report_with_figures_loads_no_matplotlib(tmp_path: Path) -> None:
    """The page draws them."""
    data = make_nanoaod(tmp_path / "nano.root", events=300, seed=1)
    hists = ddp.run("symmetries", data)
    hists.save(tmp_path / "hists.ddp")
    ddp.scan(hists, toys=0, min_events=5).save(tmp_path / "report.json")
    code = """
from coffea_ddp.cli import cli
cli.main("report report.json --hists hists.ddp -o pages".split(), standalone_mode=False)"""
    loaded = modules_after(f"import os; os.chdir({str(tmp_path)!r}){code}")
    assert '<figure class="plot">' in (tmp_path / "pages" / "regions" / "001.html").read_text()
    assert not loaded & {"matplotlib", "mplhep", "torch", "coffea"}
