"""Build the wheel, look into it, install it into a clean environment and use it there, in an empty directory.

Not collected by pytest: ``make test`` runs it last. It finds what no other test can: a module that only the
checkout has, a plan that does not travel, a requirement that only the development environment brings.

The files of the package come from the wheel. What it requires, and nothing else that is installed here, is linked
into the clean environment, and what numba has compiled here of the same source goes along. With ``--download`` its
requirements are installed and its loops compiled anew, as for a user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PLANS = sorted(path.stem for path in (ROOT / "processors").glob("*.py"))

USE = """
import importlib.util
import sys

import coffea_ddp as ddp

for name in ("processors", "tests", "torch", "pytest", "dask"):
    assert importlib.util.find_spec(name) is None, f"{name} is importable in the clean environment"
for plan in sys.argv[1:]:
    assert ddp.load_plan(plan) is not None
counts = [max(int(2000 * 0.95**i), 1) for i in range(60)]
counts[30] += 200
assert ddp.stats.bump_significance(counts, width=1.0, toys=20).z_max > 3, "the network of the bump hunt"
print("imported", ddp.__version__, "with the plans", *sys.argv[1:])
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="coffea-ddp-wheel-") as temporary:
        folder = Path(temporary)
        wheel = build(folder / "wheel")
        look_into(wheel)
        use(wheel, folder)
    print("the wheel is sound")


def build(out: Path) -> Path:
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, quiet=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def look_into(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    dist_info = "-".join(wheel.stem.split("-")[:2]) + ".dist-info"
    foreign = {name for name in names if name.split("/")[0] not in {"coffea_ddp", dist_info}}
    expect(not foreign, f"the wheel holds more than coffea_ddp: {sorted(foreign)}")
    package = {name for name in names if name.startswith("coffea_ddp/")}
    kinds = ("*.py", "*.pyi")  # the public names are loaded from the stubs
    sources = {path.relative_to(ROOT).as_posix() for kind in kinds for path in (ROOT / "coffea_ddp").rglob(kind)}
    wanted = sources | {f"coffea_ddp/plan/shipped/{plan}.py" for plan in PLANS} | {"coffea_ddp/py.typed"}
    wanted |= {"coffea_ddp/stats/bumphunt/weights.npz"}
    for kind in ("assets", "templates"):
        parts = (ROOT / "coffea_ddp" / "pages" / kind).rglob("*")
        wanted |= {path.relative_to(ROOT).as_posix() for path in parts if path.is_file()}
    expect(wanted <= package, f"not in the wheel: {sorted(wanted - package)}")
    compiled = {name for name in package if "__pycache__" in name}
    expect(not compiled, f"compiled files in the wheel: {sorted(compiled)}")
    print(f"{wheel.name}: {len(package)} files of coffea_ddp, nothing else")


def use(wheel: Path, folder: Path) -> None:
    environment, empty = folder / "environment", folder / "empty"
    empty.mkdir()
    call(sys.executable, "-m", "venv", "--without-pip", environment)
    python, command = environment / "bin" / "python", environment / "bin" / "coffea-ddp"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    if "--download" in sys.argv[1:]:
        call(*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, where=empty)
    else:
        call(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, where=empty)
        (site,) = environment.glob("lib/python*/site-packages")
        link_requirements(site)
        hand_over_compiled(site)
    call(*pip, "check", where=empty)
    call(python, "-c", USE, *PLANS, where=empty)
    call(command, "--help", where=empty, quiet=True)
    call(command, "demo", "--events", "5000", "--no-report", "-o", "demo", where=empty, quiet=True)
    # A report of one matrix.
    one = ("demo/hists.ddp", "--symmetry", "e/mu", "--observable", "dphi_l0_met", "--toys", "100", "-o", "one.json")
    call(command, "scan", *one, where=empty, quiet=True)
    figures = ("one.json", "--hists", "demo/hists.ddp", "--leading", "1", "-o", "report")
    call(command, "report", *figures, where=empty, quiet=True)
    files = sorted(path.relative_to(empty).as_posix() for path in empty.rglob("*") if path.is_file())
    for name in ("demo/report.json", "report/index.html", "report/assets/report.js", "report/regions/001.html"):
        expect(name in files, f"{name} was not made, only {files}")
    print("coffea-ddp made", *files)


def link_requirements(site: Path) -> None:
    """Link what the installed package requires, and what that requires, from this environment."""
    (package,) = Distribution.discover(name="coffea-ddp", path=[str(site)])
    found = required_by(package)
    for one in found.values():
        files = one.files
        expect(files is not None, f"{one.name} was not installed by pip: give --download")
        for file in files or ():
            if ".." not in file.parts:  # scripts and manuals: nothing imports them
                link = site / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(str(one.locate_file(file))).resolve())
    print(f"linked {len(found)} requirements:", *sorted(found))


def required_by(package: Distribution) -> dict[str, Distribution]:
    """Return all that a distribution requires, directly and through others, by its name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(package, "")]
    while waiting:
        one, extra = waiting.pop()
        for requirement in map(Requirement, one.requires or ()):
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                sys.exit(f"check_wheel: {one.name} requires {requirement}, which is not installed here")
            new = {(name, more) for more in ("", *requirement.extras)} - seen
            waiting += [(found[name], more) for _, more in new]
            seen |= new
    return found


def hand_over_compiled(site: Path) -> None:
    """Copy what numba compiled in the checkout beside the same files of the wheel; it looks at their time and size."""
    for source in (ROOT / "coffea_ddp").rglob("*.py"):
        installed = site / source.relative_to(ROOT)
        if installed.exists() and installed.read_bytes() == source.read_bytes():
            before = source.stat()
            os.utime(installed, ns=(before.st_atime_ns, before.st_mtime_ns))
            for kept in source.parent.glob(f"__pycache__/{source.stem}.*.nb[ic]"):
                folder = installed.parent / "__pycache__"
                folder.mkdir(exist_ok=True)
                shutil.copy(kept, folder)


def call(*command: str | Path, where: Path | None = None, quiet: bool = False) -> None:
    """Run a command as a user would, without this environment; show its output if it fails."""
    parts = (str(part) for part in command)
    print("$", *(Path(part).name for part in parts if "\n" not in part), flush=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=where,
        env=clean,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.stdout and (done.returncode or not quiet):
        print(done.stdout, end="", flush=True)
    expect(done.returncode == 0, f"exit code {done.returncode}")


def expect(true: bool, message: str) -> None:
    if not true:
        sys.exit(f"check_wheel: {message}")


if __name__ == "__main__":
    main()
