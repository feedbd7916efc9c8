"""Tests, symmetries and observables of a scan, out of what is asked for; what would have no effect is an error.

Examples
--------
>>> check_used([Bump()], Expectation(kappa=1.1), symmetries=None, observables=None, null=None, toys=10)
Traceback (most recent call last):
...
coffea_ddp.errors.InputError: kappa has no effect on bump: it needs a test of symmetries; leave it out, or name one
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from coffea_ddp.calibration.calibration import Calibration
from coffea_ddp.cluster.connecting import check_client
from coffea_ddp.errors import InputError, UnknownNameError, did_you_mean, named
from coffea_ddp.histograms.layout import EVENTS
from coffea_ddp.report.report_files import MOST_ROWS
from coffea_ddp.scanning import registry
from coffea_ddp.scanning.bump_cells import Bump
from coffea_ddp.scanning.calibrated_events import CalibratedEvents, calibrated
from coffea_ddp.scanning.calibrating import ExchangedEvents, calibrate
from coffea_ddp.scanning.closure import closure
from coffea_ddp.scanning.expectation import Expectation
from coffea_ddp.scanning.shares import ScanShares, told
from coffea_ddp.scanning.simulation import Simulation
from coffea_ddp.stats import checks
from coffea_ddp.stats.relabelling import NullKind, check_null

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.scanning.per_symmetry import Channels
    from coffea_ddp.scanning.protocols import ScanTest

    Tests = Iterable[str | ScanTest] | str | ScanTest | None
    """Tests as they are given: names, objects, or one of them; none: those of the plan."""


MIN_EVENTS = 20
"""Smallest number of entries of a cell: with fewer no matrix reaches 3 sigma, and N_sigma is not normal."""
COMPARED = ("nsigma", "submatrix", "roi")
"""Names of the tests of a comparison of data with simulation."""


def null_of(null: str | None, expectation: Expectation, symmetries: Sequence[str]) -> NullKind:
    """Return how labels are drawn, the right way for kappa unless given."""
    all_global = all(expectation.of_symmetry(symmetry).kappa == "global" for symmetry in symmetries)
    right = "fixed" if symmetries and all_global and expectation.equal_odds else "binomial"
    chosen = check_null(right if null is None else null)
    if chosen == "fixed" and not expectation.equal_odds:
        raise InputError(
            "null='fixed' gives all events the same odds, which a correction or a systematic error denies; "
            "use null='binomial'"
        )
    return chosen


def shares_of(
    hists: Histograms, expectation: Expectation, channels: Channels, null: NullKind
) -> tuple[Histograms, ScanShares | None]:
    """Return an output and the expected shares of its events; as it is and ``None`` without a calibration.

    Raises
    ------
    InputError
        If the output has a calibration and another is given, or there is none that could be used or learned; if kappa
        or a correction is given of a symmetry that is calibrated.
    """
    given, own = expectation.calibration, hists.layout.calibration
    if given is None and own is None:
        if expectation.leave_out:
            raise InputError(
                "leave_out: there is no calibration that events could be left out of; learn one (calibration='events', "
                "--calibrate), or fill with one"
            )
        return hists, None
    if given is not None and own is not None:
        raise InputError(
            f"calibration: the output was filled with one ({own.digest}); leave it out here, or fill without it"
        )
    _check_calibrated(hists, expectation, channels)
    if null == "fixed":
        raise InputError("null='fixed' gives all events the same odds, which a calibration denies; use null='binomial'")
    if given is not None:
        used = calibrate(hists, control=expectation.control) if isinstance(given, str) and given == "events" else given
        if callable(used) or (hasattr(used, "log_odds") and not isinstance(used, Calibration)):
            raise InputError(
                "calibration: a function is part of a plan, whose fingerprint it changes; give "
                "ScanPlan(calibration=...) and fill with that, or a file here"
            )
        hists = calibrated(hists, used if isinstance(used, Calibration) else Calibration.load(used))
    exchanged = ExchangedEvents.of(hists)
    events = CalibratedEvents.of(hists, exchanged)
    shown = told(hists, closure(hists, events, exchanged)) | ({"leave_out": True} if expectation.leave_out else {})
    return hists, ScanShares(hists, events, shown, leave_out=expectation.leave_out)


def _check_calibrated(hists: Histograms, expectation: Expectation, channels: Channels) -> None:
    for symmetry, observables in channels:
        said = not expectation.says_nothing_of(symmetry, observables)
        if hists.layout.symmetry(symmetry).exchange and said:
            raise InputError(
                f"{symmetry!r} is calibrated: kappa, its errors and corrections say nothing beside the expected shares "
                "of events; name the symmetries of which they are, as in kappa={'forward/backward': 1.02}"
            )


def check_compared(
    tests: Sequence[ScanTest],
    compared: Channels,
    channels: Channels,
    *,
    expectation: Expectation,
    simulation: Simulation | None,
    null: str | None,
    idle: bool = False,
) -> None:
    """Stop where something is said that holds for nothing among the symmetries and comparisons of a scan.

    Parameters
    ----------
    tests
        Of the scan.
    compared, channels
        The comparisons and the symmetries that are scanned.
    expectation, simulation, null
        What is said of symmetries (the expectation, and how labels are drawn) and of comparisons.
    idle
        True for a cluster and no toys.

    Raises
    ------
    InputError
        Naming it.
    """
    beside = bool(compared) and any(test.name in COMPARED for test in tests)
    if simulation is not None and not isinstance(simulation, Simulation):
        raise InputError(f"simulation={simulation!r:.60}; give Simulation(luminosity=..., cross_sections=...)")
    if simulation is not None and simulation.given and not beside:
        raise InputError(
            "simulation: no comparison of data with simulation is scanned, so that a luminosity and cross sections "
            "have no effect; leave it out"
        )
    if beside and not channels:
        if idle:
            raise InputError("client: of a comparison its workers make the toys, and there are none (toys=0)")
        for name, given in (("null", null is not None), ("expectation", expectation != Expectation())):
            if given:
                raise InputError(
                    f"{name}: of symmetries, and none is scanned; what is expected of a comparison are the samples of "
                    "simulation, with Simulation(luminosity=..., cross_sections=...)"
                )


def numbers(best: int, toys: int, seed: int, jobs: int | None) -> tuple[int, int, int, int | None]:
    """Return the numbers of a scan, checked: of rows and pseudo-experiments, the seed, and the number of threads.

    Raises
    ------
    InputError
        Naming the one that is none, too small or too large.
    """
    best = checks.whole(best, "best", least=1)
    if best > MOST_ROWS:
        raise InputError(f"best={best:,}: a report keeps at most {MOST_ROWS:,} rows")
    jobs = None if jobs is None else checks.whole(jobs, "jobs", least=1)
    return best, checks.toys(toys, "toys"), checks.seed(seed), jobs


def with_fewest(tests: Sequence[ScanTest], fewest: int | None) -> tuple[tuple[ScanTest, ...], int]:
    """Return tests with the number of events that a cell has at least, and that number for cells of symmetries.

    Parameters
    ----------
    tests
        Of the scan.
    fewest
        As it is given; ``None``: the defaults, :data:`MIN_EVENTS` and that of spectra.

    Raises
    ------
    InputError
        If it is no number from 1, or has no effect.

    Examples
    --------
    >>> with_fewest([Bump(), Bump(min_events=7)], 30)[0]
    (Bump(toys=None, toys_for=20, min_events=30), Bump(toys=None, toys_for=20, min_events=7))
    """
    if fewest is None:
        return tuple(tests), MIN_EVENTS
    fewest = checks.whole(fewest, "min_events", least=1)
    found = tuple(
        dataclasses.replace(test, min_events=fewest) if isinstance(test, Bump) and test.min_events is None else test
        for test in tests
    )
    if found == tuple(tests) and all(test.kind == "spectra" for test in tests):
        which = ", ".join(test.name for test in tests)
        raise InputError(f"min_events={fewest} has no effect on {which}, which has its own; leave it out")
    return found, fewest


def check_used(
    tests: Sequence[ScanTest],
    expectation: Expectation,
    *,
    symmetries: Sequence[str] | None,
    observables: Sequence[str] | None,
    toys: int,
    null: str | None,
    client: Any = None,
) -> None:
    """Stop where an option is given of a kind of test that is not made.

    Raises
    ------
    InputError
        Naming the option, and the test that it needs.
    """
    of_symmetries = "a test of symmetries", any(test.kind != "spectra" for test in tests)
    counts = "a test of counts, as nsigma or submatrix", any(test.kind in ("counts", "comparison") for test in tests)
    shared = "a test of counts or of mass spectra", any(test.kind != "events" for test in tests)
    default = Expectation()
    given = {
        "symmetries": (symmetries is not None, of_symmetries),
        "observables": (observables is not None, of_symmetries),
        "correction": (expectation.correction is not None, of_symmetries),
        "kappa": (expectation.kappa != default.kappa, of_symmetries),
        "kappa_error": (expectation.kappa_error != default.kappa_error, counts),
        "systematic": (expectation.systematic != default.systematic, of_symmetries),
        "calibration": (expectation.calibration is not None, of_symmetries),
        "leave_out": (expectation.leave_out, counts),
        "null": (null is not None, of_symmetries),
        "client": (client is not None, shared),
    }
    for name, (wanted, (needed, made)) in given.items():
        if wanted and not made:
            which = ", ".join(test.name for test in tests)
            raise InputError(f"{name} has no effect on {which}: it needs {needed}; leave it out, or name one")
    if client is not None:
        check_client(client, "scan(hists, client={})")
    if null is not None and not toys:
        raise InputError(f"null={null!r}: no pseudo-experiments are made (toys=0); give toys, or leave it out")


def find_tests(tests: Tests, hists: Histograms) -> tuple[ScanTest, ...]:
    """Return the tests of a scan, those of the plan where none are named.

    Raises
    ------
    UnknownNameError, InputError
        If there is no such test, none is named, two have one name, or there is nothing that it could test.
    """
    if tests is None:
        symmetric = "nsigma" if hists.symmetries or hists.layout.comparisons or not hists.spectra else None
        return tuple(registry.find(name) for name in (symmetric, "bump" if hists.spectra else None) if name)
    given = tests if isinstance(tests, Iterable) and not isinstance(tests, str) else (tests,)
    chosen = tuple(registry.find(test) for test in dict.fromkeys(given))
    if not chosen:
        raise InputError(f"no test is named; the tests are: {', '.join(registry.names())}")
    seen: set[str] = set()
    for test in chosen:
        if test.name in seen:
            raise InputError(f"two tests are called {test.name!r}; a scan makes each once, make another scan")
        seen.add(test.name)
        compared = bool(hists.layout.comparisons) and test.name in COMPARED
        if test.kind == "comparison" and not compared:
            raise InputError(
                f"the plan {hists.layout.plan!r} compares no data with simulation for {test.name!r} to test; leave it "
                "out (the best region of a symmetry is that of submatrix)"
            )
        if hists.layout.comparisons and not hists.symmetries and test.kind in ("counts", "events") and not compared:
            raise InputError(
                f"{test.name!r} tests symmetries, and the plan {hists.layout.plan!r} has none: its comparison of data "
                f"with simulation keeps sums of weights by bin, which {', '.join(COMPARED)} test; leave it out"
            )
        if test.kind in ("counts", "events") and not hists.symmetries and not compared:
            raise InputError(f"the plan {hists.layout.plan!r} has no symmetry for {test.name!r} to test; leave it out")
        if test.kind == "spectra" and not hists.spectra:
            raise InputError(
                f"the plan {hists.layout.plan!r} has no mass spectra to search for bumps; leave out {test.name!r}"
            )
    return chosen


def channels_of(hists: Histograms, symmetries: Sequence[str] | None, observables: Sequence[str] | None) -> Channels:
    """Return the observables to scan of every symmetry and comparison, in the order of the plan.

    Raises
    ------
    UnknownNameError, InputError
        If a symmetry or an observable does not exist, none is named, or a symmetry that is named has none of the
        observables.
    """
    wanted = _names(symmetries, "symmetries")
    layout = hists.layout
    observed = {one.name: [name for name, _ in one.observables] for one in layout.symmetries}
    observed |= {one.name: [name for name, _ in one.observables] for one in layout.comparisons}
    for name in wanted or ():
        if name not in observed:
            layout.symmetry_or_comparison(name)
    chosen = [name for name in observed if wanted is None or name in wanted]
    asked = _names(observables, "observables")
    if asked is None:
        return [(name, observed[name]) for name in chosen]
    existing = {symmetry: [EVENTS, *observed[symmetry]] for symmetry in chosen}
    known = dict.fromkeys(observable for names in existing.values() for observable in names)
    for name in asked:
        if name not in known:
            there = ", ".join(map(repr, known)) or "none"
            raise UnknownNameError(f"no observable {name!r}; there are: {there}{did_you_mean(name, known)}")
    found = [(symmetry, [name for name in names if name in asked]) for symmetry, names in existing.items()]
    for symmetry in (symmetry for symmetry, names in found if wanted is not None and not names):
        raise InputError(
            f"the symmetry {symmetry!r} has none of the observables {', '.join(map(repr, asked))}; it has: "
            f"{', '.join(map(repr, existing[symmetry]))}"
        )
    return found


def _names(names: Any, what: str) -> tuple[str, ...] | None:
    """Return the names that were given, or one; ``None`` for all.

    Raises
    ------
    InputError
        If they are something else, or none.
    """
    if names is None or isinstance(names, str):
        return None if names is None else (names,)
    found = tuple(names) if isinstance(names, Iterable) else (names,)
    for name in found:
        if not isinstance(name, str):
            raise InputError(f"{what}: got {named(name)}; give names, or leave it out for all")
    if not found:
        raise InputError(f"{what}: no name is given; give some, or leave it out for all")
    return found
