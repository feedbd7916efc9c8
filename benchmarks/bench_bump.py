"""How fast is the bump hunt? Spectra a second on one core, all cells too; labels beside scipy, fits beside iminuit.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_bump.py

Seconds of CPU, and ratios of two things measured in one run; 100 bins, a signal of two bins unless told.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from figures import Figures
from iminuit import Minuit
from scipy import optimize

import coffea_ddp as ddp
from coffea_ddp.scanning.bump_cells import bump_hunt_in_cells
from coffea_ddp.stats.bumphunt.features import describe
from coffea_ddp.stats.bumphunt.finder import shipped
from coffea_ddp.stats.bumphunt.fits import bump_fit
from coffea_ddp.stats.bumphunt.fits.bump_fit import fit_block
from coffea_ddp.stats.bumphunt.fits.ideal import ideal_significance
from coffea_ddp.stats.bumphunt.fits.loglinear import legendre
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.bumphunt.scores import bump_scores
from coffea_ddp.stats.bumphunt.training.sampling import draw

SIGMA = 2.0
EVENTS = 30_000
LEAST, SCORES = {"torch": 4_000, "numpy": 4_000}, 10_000
N = 2_000


def fastest(function: Callable[[], object], repeats: int) -> float:
    """Return the seconds of CPU of the fastest of some calls."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def scan_by_scipy(n: np.ndarray, b: np.ndarray, sigma: float) -> None:
    """Find z at every bin with a bounded scalar minimiser."""
    bins = np.arange(len(n))
    for k in bins:
        s = np.exp(-0.5 * ((bins - k) / sigma) ** 2)
        lowest = -float((b[s > 1e-12] / s[s > 1e-12]).min())

        def minus_log(mu: float, s: np.ndarray = s) -> float:
            return mu * s.sum() - float((n * np.log(np.maximum(1.0 + mu * s / b, 1e-300))).sum())

        optimize.minimize_scalar(minus_log, bounds=(lowest, n.sum() + 10), method="bounded", options={"xatol": 1e-9})


def fit_by_minuit(n: np.ndarray, design: np.ndarray, signal: np.ndarray) -> None:
    """Fit signal and background at one bin."""
    events = n > 0

    def twice_minus_log(parameters: np.ndarray) -> float:
        expected = np.exp(np.clip(parameters[1:] @ design, -50, 50)) + parameters[0] * signal
        if (expected <= 0).any():
            return 1e15
        return 2.0 * float((expected - n).sum() - (n[events] * np.log(expected[events] / n[events])).sum())

    first = np.zeros(len(design) + 1)
    first[1:] = np.linalg.lstsq(design.T, np.log(np.maximum(n, 0.5)), rcond=None)[0]
    minuit = Minuit(twice_minus_log, first)
    minuit.errordef = 1.0
    minuit.migrad()


def all_cells() -> tuple[int, float]:
    """Return the number of spectra of all cells of a generated sample, and how many are searched in a second."""
    with tempfile.TemporaryDirectory() as folder:
        hists = ddp.run("resonances", ddp.testing.make_nanoaod(f"{folder}/nano.root", events=EVENTS, seed=41))
    few = hists.spectra[:3]
    bump_hunt_in_cells(hists, spectra=few, toys=0)
    start = time.process_time()
    report = bump_hunt_in_cells(hists, toys=0)
    number = report.options["statuses"]["OK"]
    return number, number / (time.process_time() - start)


def main() -> int:
    """Print the figures; 0 where they are reached."""
    torch.set_num_threads(1)
    batch, widths, finder = draw(1, 3, size=N, n_bins=100, sigma=SIGMA), np.full(100, SIGMA), shipped()
    figures = Figures()
    for backend, least in LEAST.items():
        finder.evaluate(batch.counts[:10], widths, backend=backend)
        rate = N / fastest(lambda backend=backend: finder.evaluate(batch.counts, widths, backend=backend), 5)
        figures.add(f"{backend}, end to end", rate, "spectra/s", least=least)
    number, all_rate = all_cells()
    figures.add(f"all {number:,} spectra of a pass, ranked and explained", all_rate, "spectra/s")
    figures.add("  network and features of as many spectra of 100 bins / all of it", all_rate / rate, "")
    rate = N / fastest(lambda: bump_scores(batch.counts, width=SIGMA), 5)
    figures.add("scores beside polynomials, without shoulders and network", rate, "spectra/s", least=SCORES)
    figures.add("features alone", N / fastest(lambda: describe(batch.counts, widths), 5), "spectra/s")
    for sigma in (1.0, 2.0, 5.0):
        ideal_significance(batch.counts[:2], batch.background[:2], sigma)
        ours = (
            fastest(lambda sigma=sigma: ideal_significance(batch.counts[:500], batch.background[:500], sigma), 5) / 500
        )
        theirs = fastest(lambda sigma=sigma: scan_by_scipy(batch.counts[7], batch.background[7], sigma), 2)
        what = f"labels, sigma {sigma:g}, of {1e6 * ours:.0f} us: a scipy scan / ours"
        figures.add(what, theirs / ours, "x", least=500)
    templates = gaussian_templates(100, SIGMA)
    designs = {f"{terms} terms": legendre(100, terms) for terms in (4, 5)}
    designs["dijet, 5 terms"] = bump_fit._dijet(np.linspace(500.0, 6_000.0, 101), bump_fit.COLLISION_ENERGY)
    for name, design in designs.items():
        fit_block(batch.counts[:2], design, templates.values)
        ours = fastest(lambda design=design: fit_block(batch.counts[:200], design, templates.values), 9) / 200
        theirs = 10 * fastest(
            lambda design=design: [fit_by_minuit(batch.counts[3], design, templates.row(k)) for k in range(0, 100, 10)],
            3,
        )
        figures.add(f"fits, {name}", 1e3 * ours, "ms a spectrum", most=2)
        figures.add(f"fits, {name}: iminuit / ours", theirs / ours, "x", least=50)
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
