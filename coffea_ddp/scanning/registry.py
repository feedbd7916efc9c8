"""Tests by name: those of this package, and those that other packages install under an entry point.

A package adds a test by an entry point of the group ``coffea_ddp.tests``, which names a test or what makes one::

    [project.entry-points."coffea_ddp.tests"]
    chi2 = "my_package:chi2"

Examples
--------
>>> sorted(BUILT_IN)
['bump', 'classifier', 'nplm', 'nsigma', 'roi', 'submatrix', 'submatrix_nsigma']
>>> find("submatrix")
Submatrix(score='counts')
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean
from coffea_ddp.scanning.binned_tests import NSigma, Submatrix
from coffea_ddp.scanning.bump_cells import Bump
from coffea_ddp.scanning.classifier_cells import Classifier
from coffea_ddp.scanning.nplm_cells import NPLM
from coffea_ddp.scanning.protocols import KINDS, ScanTest
from coffea_ddp.scanning.region_of_interest import RegionOfInterest

GROUP = "coffea_ddp.tests"
"""The group of entry points."""

BUILT_IN: dict[str, Callable[[], ScanTest]] = {
    "nsigma": NSigma,
    "submatrix": Submatrix,
    "submatrix_nsigma": lambda: Submatrix(score="nsigma"),
    "nplm": NPLM,
    "classifier": Classifier,
    "bump": Bump,
    "roi": RegionOfInterest,
}
"""Makers of the tests of this package with their default options, by name."""


def names() -> tuple[str, ...]:
    """Return the names of all tests that there are: those of this package, then installed ones."""
    return tuple(dict.fromkeys([*BUILT_IN, *(one.name for one in entry_points(group=GROUP))]))


def find(test: str | ScanTest) -> ScanTest:
    """Return a test by name, or the test that is given.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InputError
        If it is no test, or cannot be loaded.
    """
    if not isinstance(test, str):
        return _checked(test, f"tests: {test!r}")
    if test in BUILT_IN:
        return BUILT_IN[test]()
    installed = [one for one in entry_points(group=GROUP) if one.name == test]
    if not installed:
        known = names()
        raise UnknownNameError(f"no test {test!r}; the tests are: {', '.join(known)}{did_you_mean(test, known)}")
    return _loaded(installed[0])


def _loaded(entry: EntryPoint) -> ScanTest:
    """Return the test that another package installs."""
    where = f"the test {entry.name!r}, which {entry.value!r} installs"
    try:
        found = entry.load()
        made = found if isinstance(found, ScanTest) and not isinstance(found, type) else found()
    except Exception as error:
        raise InputError(f"{where}: {type(error).__name__}: {error}; mend or uninstall that package") from error
    test = _checked(made, where)
    if test.name != entry.name:
        raise InputError(f"{where}, calls itself {test.name!r}; its entry point has to have the same name")
    return test


def _checked(test: Any, where: str) -> ScanTest:
    """Return a test; stop where an object is none."""
    if isinstance(test, type) and hasattr(test, "kind"):
        raise InputError(f"{where} is a class: make the test, as in {test.__name__}()")
    if not isinstance(test, ScanTest) or test.kind not in KINDS:
        raise InputError(
            f"{where} is no test: give a name ({', '.join(names())}), or an object with name and kind, as CellTest(...)"
        )
    return test
