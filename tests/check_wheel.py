"""Build the wheel, look into it, install it into a clean environment and use it there, in an empty directory.

Not collected by pytest: ``make test`` runs it last. It finds what no other test can: a module that only the
checkout has, a plan that does not travel, a requirement that only the development environment brings.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

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
        parts = (ROOT / "coffea_ddp" / "pages" / kind).iterdir()
        wanted |= {path.relative_to(ROOT).as_posix() for path in parts}
    expect(wanted <= package, f"not in the wheel: {sorted(wanted - package)}")
    compiled = {name for name in package if "__pycache__" in name}
    expect(not compiled, f"compiled files in the wheel: {sorted(compiled)}")
    print(f"{wheel.name}: {len(package)} files of coffea_ddp, nothing else")


def use(wheel: Path, folder: Path) -> None:
    environment, empty = folder / "environment", folder / "empty"
    empty.mkdir()
    call(sys.executable, "-m", "venv", environment)
    python, command = environment / "bin" / "python", environment / "bin" / "coffea-ddp"
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "install", "-c", ROOT / "constraints.txt", wheel, where=empty)
    call(*pip, "check", where=empty)
    call(python, "-c", USE, *PLANS, where=empty)
    call(command, "--help", where=empty, quiet=True)
    call(command, "demo", "--events", "5000", "-o", "demo", where=empty, quiet=True)
    made = sorted(path.relative_to(empty).as_posix() for path in empty.rglob("*") if path.is_file())
    for name in ("demo/report.json", "demo/report/index.html", "demo/report/assets/report.js"):
        expect(name in made, f"the demo made no {name}, only {made}")
    print("coffea-ddp demo made", *(name for name in made if "/regions/" not in name))


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
