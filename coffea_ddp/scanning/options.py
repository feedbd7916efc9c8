"""Tests, symmetries and observables of a scan, out of what is asked for; what would have no effect is an error.

Examples
--------
>>> check_used(
...     ["bump"],
...     Expectation(kappa=1.1),
...     symmetries=None,
...     observables=None,
...     permutations=0,
...     null=None,
...     toys=10,
...     fits=None,
... )
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: kappa has no effect on bump: it needs a test of symmetries; leave it out, or name one
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.scanning.binned_tests import TESTS
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.unbinned_tests import EVENT_TESTS
from coffea_ddp.stats.relabelling import NullKind, check_null

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms

BUMP = "bump"
"""The test of spectra; all others are of symmetries."""


def null_of(null: str | None, expectation: Expectation, symmetries: Sequence[str]) -> NullKind:
    """Return how labels are drawn, the right way for kappa unless told."""
    all_global = all(expectation.of_symmetry(symmetry).kappa == "global" for symmetry in symmetries)
    right = "fixed" if symmetries and all_global and expectation.equal_odds else "binomial"
    chosen = check_null(right if null is None else null)
    if chosen == "fixed" and not expectation.equal_odds:
        raise InputError(
            "null='fixed' gives all events the same odds, which a correction or a systematic error denies; "
            "use null='binomial'"
        )
    return chosen


def check_used(
    tests: Sequence[str],
    expectation: Expectation,
    *,
    symmetries: Sequence[str] | None,
    observables: Sequence[str] | None,
    permutations: int,
    null: str | None,
    toys: int | None,
    fits: Any,
) -> None:
    """Stop where an option is given of a kind of test that is not made.

    Raises
    ------
    InputError
        Naming the option, and the test that it needs.
    """
    of_symmetries = "a test of symmetries", any(name != BUMP for name in tests)
    binned = f"a test out of {', '.join(TESTS)}", any(name in TESTS for name in tests)
    plain = Expectation()
    given = {
        "symmetries": (symmetries is not None, of_symmetries),
        "observables": (observables is not None, of_symmetries),
        "permutations": (bool(permutations), of_symmetries),
        "correction": (expectation.correction is not None, of_symmetries),
        "kappa": (expectation.kappa != plain.kappa, of_symmetries),
        "kappa_error": (expectation.kappa_error != plain.kappa_error, binned),
        "systematic": (expectation.systematic != plain.systematic, of_symmetries),
        "toys": (toys is not None, (f"the test {BUMP!r}", BUMP in tests)),
        "fits": (fits is not None, ("the test 'nplm'", "nplm" in tests)),
    }
    for name, (wanted, (needed, made)) in given.items():
        if wanted and not made:
            raise InputError(
                f"{name} has no effect on {', '.join(tests)}: it needs {needed}; leave it out, or name one"
            )
    if null is not None and not permutations:
        raise InputError(f"null={null!r}: no pseudo-experiments are made; give permutations, or leave it out")


def tests_of(names: Sequence[str] | None, hists: Histograms) -> tuple[str, ...]:
    """Return the names of the tests of a scan, those of the plan where none are named.

    Raises
    ------
    UnknownNameError, InputError
        If there is no such test, none is named, or there is nothing that it could look at.
    """
    known = (*TESTS, *EVENT_TESTS, BUMP)
    if names is None:
        symmetric = "nsigma" if hists.symmetries or not hists.spectra else None
        return tuple(name for name in (symmetric, BUMP if hists.spectra else None) if name)
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in known:
            raise UnknownNameError(f"no test {name!r}; the tests are: {', '.join(known)}{did_you_mean(name, known)}")
    if not wanted:
        raise InputError(f"no test is named; the tests are: {', '.join(known)}")
    if not hists.symmetries and (of := next((name for name in wanted if name != BUMP), None)) is not None:
        raise InputError(f"the plan {hists.layout.plan!r} has no symmetry for {of!r} to test; leave it out")
    if BUMP in wanted and not hists.spectra:
        raise InputError(f"the plan {hists.layout.plan!r} has no mass spectra to look for bumps in; leave out {BUMP!r}")
    return tuple(dict.fromkeys(wanted))


def channels_of(
    hists: Histograms, symmetries: Sequence[str] | None, observables: Sequence[str] | None
) -> list[tuple[str, list[str]]]:
    """Return the observables to scan of every symmetry, in the order of the plan."""
    wanted = _names(symmetries)
    for name in wanted or ():
        hists.layout.symmetry(name)
    chosen = [name for name in hists.symmetries if wanted is None or name in wanted]
    named = _names(observables)
    if named is None:
        return [(name, list(hists.observables(name))) for name in chosen]
    existing = {symmetry: [EVENTS, *hists.observables(symmetry)] for symmetry in chosen}
    known = dict.fromkeys(observable for names in existing.values() for observable in names)
    for name in named:
        if name not in known:
            there = ", ".join(map(repr, known)) or "none"
            raise UnknownNameError(f"no observable {name!r}; there are: {there}{did_you_mean(name, known)}")
    found = [(symmetry, [name for name in names if name in named]) for symmetry, names in existing.items()]
    for symmetry in (symmetry for symmetry, names in found if wanted is not None and not names):
        raise InputError(
            f"the symmetry {symmetry!r} has none of the observables {', '.join(map(repr, named))}; it has: "
            f"{', '.join(map(repr, existing[symmetry]))}"
        )
    return found


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return (names,) if isinstance(names, str) else None if names is None else tuple(names)
