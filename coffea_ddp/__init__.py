"""coffea_ddp: scan all of the data for broken symmetries, without simulation.

The Data-Directed Paradigm takes a property that the Standard Model guarantees and looks everywhere in the data for
where it breaks. Processors fill every cell in one pass over NanoAOD; ``scan`` tests and ranks all cells.

>>> import coffea_ddp as ddp
>>> "ScanPlan" in dir(ddp)
True
"""

from typing import Any

import lazy_loader

# A worker pays for what it uses: the names of `__init__.pyi` are resolved on first use (PEP 562).
_resolved, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coffea-ddp")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _resolved(name)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
