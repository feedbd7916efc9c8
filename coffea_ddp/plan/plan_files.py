"""Plans from files: ``processors/x.py`` by its path, or a shipped plan by its name.

A plan's file is loaded by path and its module is registered for pickling by value: the workers of a cluster, which do
not have the file, get its functions with the plan. So are the modules of files that it imports, if no installed package
owns them: a worker may have older ones.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

import cloudpickle

from coffea_ddp._files import ROOT, advice, check_input, what_is
from coffea_ddp._local_modules import have_travel, local_modules
from coffea_ddp.errors import DDPError, FileError, PlanError, describe, did_you_mean, hint, named
from coffea_ddp.plan.plan import ScanPlan

_HERE = Path(__file__).parent
_SHIPPED = (_HERE / "shipped", _HERE.parents[1] / "processors")
"""Folders of shipped plans: inside of an installed package, or beside it in a checkout."""
_NO_EVENTS = ("an array of numpy", "a zip archive", "an empty file")
"""Kinds of files over which no plan runs."""


def shipped_plans() -> dict[str, Path]:
    """Return the plans that come with the package, by name."""
    for folder in _SHIPPED:
        found = {path.stem: path for path in sorted(folder.glob("*.py"))}
        if found:
            return found
    return {}


def load_plan(plan: str | Path) -> ScanPlan:
    """Return the plan that a file defines as ``plan``.

    Parameters
    ----------
    plan
        A path to a Python file, or the name of a shipped plan. The file is *run*: load plans of people you trust.

    Raises
    ------
    FileError
        If there is no such file or name.
    PlanError
        If it is something else than a plan (a ROOT file, a fileset), does not run or defines no ``plan``.

    Examples
    --------
    >>> load_plan("symmetries").layout.grid.n_cells
    111375
    """
    path = _resolve(plan)
    module = _import(path)
    found = getattr(module, "plan", None)
    if not isinstance(found, ScanPlan):
        kind = "defines no `plan`" if found is None else f"its `plan` is a {type(found).__name__}"
        others = [name for name, value in vars(module).items() if isinstance(value, ScanPlan)]
        raise PlanError(f"{path}: {kind}; end the file with `plan = {others[0] if others else 'ScanPlan(...)'}`")
    return found


def _resolve(plan: str | Path) -> Path:
    if not isinstance(plan, str | Path):
        raise PlanError(f"plan: got {named(plan)}; give a ScanPlan, or {_known()[5:]}")
    path, name = Path(plan), str(plan)
    if name in shipped_plans() and not path.is_file():
        return shipped_plans()[name].resolve()
    check_input(path)
    if path.suffix == ".py":
        if not path.is_file():
            raise FileError(f"plan {plan}: no such file; {_known()}{_near(path)}")
        return path.resolve()
    if path.exists() or _is_input(name):
        raise PlanError(f"{plan}: {_what_instead(name)}; {_known()}")
    raise FileError(f"plan {plan}: neither a file nor a shipped plan; {_known()}{_near(path)}")


def _is_input(name: str) -> bool:
    """Tell whether a name looks as what a plan is run over, or comes out of it."""
    return "://" in name or any(sign in name for sign in "*?[") or Path(name).suffix in (".root", ".json", ".ddp")


def _what_instead(name: str) -> str:
    """Tell what stands where a plan belongs, and what to write."""
    path = Path(name)
    kind = what_is(path)
    if kind == "a text file":
        return f"no Python file by its name; if it is a plan, call it {path.with_suffix('.py').name}"
    what = kind if path.exists() else "the name of data"
    use = advice(path).removeprefix(kind).lstrip("; ")
    if use and kind != ROOT:  # what this package writes has a use of its own
        return f"{what} where the plan belongs; {use}"
    if path.suffix == ".ddp":
        return f"{what} where the plan belongs; what comes next is `coffea-ddp scan {name}`"
    files = f"{name}/*.root" if path.is_dir() else "data/*.root" if kind in _NO_EVENTS else name
    return (
        f"{what} where the plan belongs: the plan comes first, then the files, as in "
        f"`coffea-ddp run symmetries '{files}' -o hists.ddp`"
    )


def _near(path: Path) -> str:
    """Ask whether another plan was meant: a shipped one, or a Python file in the same folder."""
    here = [str(found) for found in path.parent.glob("*.py")]
    same = path.with_suffix(".py")
    if same != path and same.is_file():
        return f". Did you mean {str(same)!r}?"
    return did_you_mean(str(path), here) or did_you_mean(path.stem, shipped_plans())


def _known() -> str:
    return f"give a path to a Python file, or one of the shipped plans: {', '.join(shipped_plans()) or '(none found)'}"


def _import(path: Path) -> ModuleType:
    text = path.read_bytes()
    # The content is part of the name: an edited plan is another module, and none of the old one's state is met again.
    # A file that it reads (a network, a list of runs) may be another one by now, so that it is run at every loading.
    name = f"coffea_ddp_plan_{path.stem}_{hashlib.sha256(str(path).encode() + text).hexdigest()[:12]}"
    if name in sys.modules and path in {shipped.resolve() for shipped in shipped_plans().values()}:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PlanError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        line = f", line {error.lineno}" if error.lineno else ""
        raise PlanError(f"{path}{line}: {error.msg}; the plan is no valid Python") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = str(error) if isinstance(error, DDPError) else f"{describe(error)}{hint(error)}"
        raise PlanError(f"{path}, line {_line(error, path)}: {reason}") from error
    cloudpickle.register_pickle_by_value(module)
    for local in local_modules(vars(module)):
        have_travel(local)
    return module


def _line(error: BaseException, path: Path) -> int | str:
    """Return the last line of the plan's own file that the error went through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines and lines[-1] is not None else "?"
