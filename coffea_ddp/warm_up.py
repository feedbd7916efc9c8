"""Compilation of what commands compile at their first use, before anybody waits for it: of images and of installations.

Everything that is compiled is used once, on events and spectra that are made for it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coffea_ddp.errors import check_progress
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.running.driver import run
from coffea_ddp.running.executors import Iterative
from coffea_ddp.scanning.driver import scan
from coffea_ddp.stats import bump_fit, bump_scores, bump_significance, ideal_significance, nplm
from coffea_ddp.stats._compiled import TOYS
from coffea_ddp.stats.bumphunt.fits.loglinear import dot
from coffea_ddp.stats.simulated.cells import (
    Lists,
    RegionCells,
    Scores,
    Toys,
    best_regions,
    toy_pulls,
    toy_regions,
)
from coffea_ddp.stats.simulated.expected import draw, expect
from coffea_ddp.stats.simulated.rates import SimulatedCounts
from coffea_ddp.testing import make_nanoaod

_EVENTS, _SYMMETRY = 12_000, "e/mu"
"""Number of events, of which more are selected than the pass interprets (``events.kernels.FEW``); what is scanned."""
_TESTS = ("nsigma", "submatrix", "submatrix_nsigma")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class WarmUp:
    """Outcome of a warm-up.

    Attributes
    ----------
    seconds
        How long each part took, in seconds, by its name; of code that was kept already, next to nothing.
    folder
        Where the code is kept; ``None`` where no folder can be written to, so that every process compiles anew.
    """

    seconds: dict[str, float]
    folder: Path | None


def warm_up(progress: Progress | None = None) -> WarmUp:
    """Compile what commands compile at their first use, and keep it, for this installation and kind of processor.

    Parameters
    ----------
    progress
        Called with the number of parts done, of all, and what is next.
    """
    check_progress("warm_up", progress)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        file = make_nanoaod(Path(made, "events.root"), events=_EVENTS, seed=1)
        hists: dict[str, Histograms] = {}

        def fill(plan: str) -> Callable[[], object]:
            return lambda: hists.setdefault(plan, run(plan, file, executor=Iterative()))

        parts: dict[str, Callable[[], object]] = {
            "pass": fill("symmetries"),
            "pass over masses": fill("resonances"),
            "tests of symmetries": lambda: scan(
                hists["symmetries"], tests=_TESTS, symmetries=[_SYMMETRY], toys=64, best=10
            ),
            "data beside simulation": _compared,
            "bump hunt": _hunt,
            "tests on events": _on_events,
        }
        for number, (name, part) in enumerate(parts.items()):
            if progress is not None:
                progress(number, len(parts), name)
            start = time.perf_counter()
            part()
            seconds[name] = time.perf_counter() - start
        if progress is not None:
            progress(len(parts), len(parts), "")
    kept = getattr(dot, "stats").cache_path  # noqa: B009 - a compiled function has it, its type does not
    return WarmUp(seconds, Path(kept).parent if kept else None)


def _compared() -> None:
    """Test two cells of two bins against a sample, with a variation, and make their toys."""
    n = np.array([[40.0, 4.0], [9.0, 1.0]])
    expected = expect([SimulatedCounts(0.5 * n, 0.25 * n, n)], n, (1, 2), [("all", 0.1 * n, -0.1 * n)])
    shifts = np.zeros((1, 2, 2))
    best_regions(n, n, n, n, shifts, (1, 2))
    toys = Toys(expected.starts, expected.bins, draw(expected, seed=1, key="warm-up", block=0))
    cells = Lists(np.array([0, 1, 2]), np.array([0, 1], np.int32))
    out = Scores(np.zeros(TOYS, np.float32), np.full(2, -1), np.zeros((0, TOYS), np.float32))
    toy_pulls(toys, cells, n.astype(np.float32), n.sum(axis=1), out)
    toy_regions(toys, cells, RegionCells(n, n, n, np.moveaxis(shifts, 1, 0).copy()), (1, 2), out)


def _hunt() -> None:
    """Search a falling spectrum, one with a step, for which shoulders are fitted, and one of unknown width."""
    x = np.arange(60)
    falling = 1e5 * np.exp(-x / 20.0)
    spectra = np.rint([falling, np.where(x < 30, falling, 0.4 * falling)])
    bump_significance(spectra, width=2.0, toys=0)
    bump_significance(spectra[0], toys=0)
    bump_scores(spectra, width=2.0)
    bump_fit(spectra, width=2.0)
    ideal_significance(spectra, spectra, 2.0)


def _on_events() -> None:
    rng = np.random.default_rng(1)
    nplm(rng.normal(size=(300, 2)), rng.normal(size=(300, 2)), toys=10)
