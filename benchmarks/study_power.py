"""Which test sees what? Power of all tests at one false-alarm rate: the table of docs/validation.md.

    OMP_NUM_THREADS=1 python benchmarks/study_power.py [--null 1000] [--toys 300] [--events 2000] [--only narrow,lfv]

Two samples of so many events (Poisson). Signals are in A, as strong as an ideal symmetry analysis, that knows the
signal's shape, sees at 5 sigma (Asimov, L2). A test's threshold is what 1 % of toys without a signal exceed. Several
trials of one test (widths of kernels, AUC and cut) are put on one scale by those toys (min-p).
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from coffea_ddp import stats
from coffea_ddp.stats.classifier.classifier import statistics, within_folds
from coffea_ddp.stats.classifier.learners import KernelLearner
from coffea_ddp.stats.log_ratio.nplm import fitter_of
from coffea_ddp.stats.samples.points import pool

LEVEL = 0.01
IDEAL = 5.0


@dataclass(frozen=True)
class Case:
    """Where events come from: background and signal, and the bins that tests of histograms see."""

    name: str
    background: object
    signal: object
    edges: tuple[np.ndarray, ...]

    @property
    def kind(self):
        """Cases of one background share their toys without a signal; but a slope has no ideal analysis."""
        return self.background, len(self.edges)

    def counts(self, x):
        last = [np.nextafter(e[-1], -np.inf) for e in self.edges]
        clipped = [np.clip(column, e[0], top) for column, e, top in zip(x.T, self.edges, last, strict=True)]
        return np.histogramdd(np.stack(clipped, axis=1), self.edges)[0]

    def shapes(self, rng):
        """Expected shares of background and signal in the bins, from many events."""
        found = [self.counts(draw(rng, 400_000)) for draw in (self.background, self.signal)]
        return [part / part.sum() for part in found]


def exponential(rng, n, d=1):
    return rng.exponential(size=(n, d))


def normal(mean, width, d=1):
    return lambda rng, n: np.abs(rng.normal(mean, width, (n, d)))


def cases(lfv):
    line, plane = np.linspace(0.0, 8.4, 43), np.linspace(0.0, 7.0, 29)
    yield Case("narrow, 1.60 +- 0.04", exponential, normal(1.6, 0.04), (line,))
    yield Case("bulk, 1.60 +- 0.16", exponential, normal(1.6, 0.16), (line,))
    yield Case("bulk, 1.6 +- 0.6", exponential, normal(1.6, 0.6), (line,))
    yield Case("tail, 6.40 +- 0.16", exponential, normal(6.4, 0.16), (line,))
    yield Case("wide, x^2 exp(-x)", exponential, lambda rng, n: rng.gamma(3.0, size=(n, 1)), (line,))
    yield Case("slope", exponential, None, (line,))
    pairs = functools.partial(exponential, d=2)
    yield Case("two features, 1.60 +- 0.16 each", pairs, normal(1.6, 0.16, 2), (plane, plane))
    if lfv:
        yield from lfv_higgs()


def lfv_higgs():
    """H -> mu tau among e mu events of `coffea_ddp.testing`: collinear mass and leading pT."""
    import coffea_ddp as ddp
    from coffea_ddp import observables as obs
    from coffea_ddp import symmetries, testing
    from coffea_ddp.histograms.samples import sample_pair

    plan = ddp.ScanPlan(
        "lfv",
        symmetries=(symmetries.emu_mue_os((ddp.observable(obs.m_coll, obs.pt_l0),)),),
        cells=(ddp.Multiplicity("j", last=2),),
        max_stored=1_000_000,
    )
    folder, pools = Path(tempfile.mkdtemp()), []
    for name, signals, files in (("background", [], 8), ("signal", [testing.LFVSignal(100_000)], 1)):
        paths = [
            testing.make_nanoaod(folder / f"{name}{i}.root", events=100_000, seed=10 * i + 1, signals=signals)
            for i in range(files)
        ]
        pools.append(sample_pair(ddp.run(plan, [str(path) for path in paths]), "emu/mue OS"))
    background, signal = np.concatenate([pools[0].a, pools[0].b]), pools[1].b
    print(f"LFV Higgs: drawn from {len(background):,} e mu events and {len(signal):,} of the signal whose muon leads")
    mass, momentum = np.linspace(0.0, 280.0, 29), np.linspace(20.0, 160.0, 29)
    yield Case("LFV Higgs (m_coll, pT)", chosen(background), chosen(signal), (mass, momentum))


def chosen(events):
    return lambda rng, n: events[rng.choice(len(events), n, replace=len(events) < n)]


def strength(case, n, rng):
    """Signal events, or the relative change of a slope, that the ideal analysis sees at 5 sigma."""
    if case.signal is None:
        x = np.linspace(0.0, 40.0, 20_001)

        def z(change):
            a, b = (np.exp(-x / scale) / scale * n * 0.002 for scale in (1.0 + change, 1.0))
            return np.sqrt(2.0 * np.sum(a * np.log(2.0 * a / (a + b)) + b * np.log(2.0 * b / (a + b)))) - IDEAL

        return brentq(z, 1e-3, 1.0)
    times = 4 if len(case.edges) == 1 else 1
    fine = tuple(np.linspace(e[0], e[-1], times * (len(e) - 1) + 1) for e in case.edges)
    shares = [part.ravel() for part in Case(case.name, case.background, case.signal, fine).shapes(rng)]
    used = (shares[0] + shares[1]) > 0
    b, s = n * np.maximum(shares[0][used], 1e-9), shares[1][used]
    return brentq(lambda events: float(stats.asimov_l2(b, events * s)) - IDEAL, 1.0, n)


def samples(case, n, events, rng):
    """Two samples of a toy; the signal is in A."""
    a, b = (case.background(rng, rng.poisson(n)) for _ in range(2))
    if not events:
        return a, b
    if case.signal is None:
        return a * (1.0 + events), b
    return np.concatenate([a, case.signal(rng, rng.poisson(events))]), b


class Tests:
    """All statistics of one toy: name -> one number, or several trials; the larger the rarer."""

    def __init__(self, case, shapes, network):
        self.case, self.shapes, self.network = case, shapes, network
        self.seconds = {}

    def __call__(self, a, b):
        return {name: np.atleast_1d(value) for name, value in self.found(a, b)}

    def found(self, a, b):
        n_a, n_b = self.case.counts(a), self.case.counts(b)
        yield "N_sigma", abs(stats.n_sigma(n_a, n_b).statistic)
        yield "sub-matrix", abs(stats.scan_submatrices(n_a, n_b, toys=0).z_value)
        if a.shape[1] == 1:
            yield "NPLM, 13 bins", self.timed("bins", stats.BinSolver(), a, b)
        yield "NPLM, kernels", self.timed("kernels", stats.KernelSolver(), a, b)
        yield "NPLM, kernels, score", self.timed("score", stats.KernelSolver(score=True), a, b)
        yield "NPLM, network", self.timed("network", self.network, a, b)
        yield "classifier", classifier(a, b)
        if self.shapes is not None:
            yield "ideal (L2)", self.ideal(n_a, n_b)

    def ideal(self, n_a, n_b):
        return stats.q0_l2(n_b.ravel(), n_a.ravel(), self.shapes[1].ravel() * n_a.sum()).z_value

    def timed(self, name, solver, a, b):
        began = time.perf_counter()
        found = fitter_of(solver, pool(a, b), 1).observed()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
        return [one.t for one in found]


def classifier(a, b):
    points = pool(a, b)
    folds = np.random.default_rng(1).permutation(points.n) % 5
    labels = points.labels[None]
    scores = within_folds(KernelLearner().scorer(points, folds, 1)(labels), folds)
    return statistics(scores, labels)[0][:, 0]


def smallest_p(toys, null):
    """Minus the smallest p of the trials of every toy, each p counted among the null toys."""
    ranks = [(null[:, None, k] >= toys[None, :, k]).mean(axis=0) for k in range(null.shape[1])]
    # Where no null toy reaches, the size itself decides.
    beyond = np.max([toys[:, k] / max(null[:, k].max(), 1e-9) for k in range(null.shape[1])], axis=0)
    return -np.min(ranks, axis=0) + 1e-6 * beyond


def study(case, options, nulls):
    """Print one line of the table."""
    rng = np.random.default_rng([options.seed, sum(map(ord, case.name))])
    events = strength(case, options.events, rng)
    shapes = None if case.signal is None else case.shapes(rng)
    network = stats.NetworkSolver(cells=400)
    tests = Tests(case, shapes, network)
    if case.kind not in nulls:
        nulls[case.kind] = [tests(*samples(case, options.events, 0, rng)) for _ in range(options.null)]
    found = nulls[case.kind], [tests(*samples(case, options.events, events, rng)) for _ in range(options.toys)]
    powers = {}
    if shapes is not None:  # what the ideal analysis looks for differs from case to case
        null = ([case.counts(one) for one in samples(case, options.events, 0, rng)] for _ in range(options.null))
        cut = np.quantile([tests.ideal(*pair) for pair in null], 1.0 - LEVEL)
        powers["ideal (L2)"] = float((np.array([toy["ideal (L2)"][0] for toy in found[1]]) > cut).mean())
    for name in found[1][0]:
        if name in powers:
            continue
        null, toys = (np.array([toy[name] for toy in part], dtype=float) for part in found)
        score = toys[:, 0], null[:, 0]
        if null.shape[1] > 1:
            score = smallest_p(toys, null), smallest_p(null, null)
        powers[name] = float((score[0] > np.quantile(score[1], 1.0 - LEVEL)).mean())
    size = f"{events:.0f} events" if case.signal is not None else f"{events:.1%}"
    return size, powers, {name: spent / max(len(found[1]), 1) for name, spent in tests.seconds.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null", type=int, default=1_000, help="toys without a signal, of each case")
    parser.add_argument("--toys", type=int, default=300, help="toys with it")
    parser.add_argument("--events", type=int, default=2_000, help="events a side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="cases whose names hold one of these words, with commas")
    options = parser.parse_args()
    words = options.only.split(",") if options.only else [""]
    names, nulls = None, {}
    with threadpool_limits(1):
        for case in cases(any(word in "LFV Higgs" for word in words)):
            if not any(word in case.name for word in words):
                continue
            size, powers, seconds = study(case, options, nulls)
            if names is None:
                names = ["N_sigma", "sub-matrix", "NPLM, 13 bins", "NPLM, kernels", "NPLM, kernels, score",
                         "NPLM, network", "classifier", "ideal (L2)"]  # fmt: skip
                print("| signal | size | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))
            shown = " | ".join(f"{powers[name]:.2f}" if name in powers else "" for name in names)
            print(f"| {case.name} | {size} | {shown} |", flush=True)
            print(f"  {seconds}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
