"""How fast is NPLM? Permutations a second with fixed features; networks beside full-batch Adam.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_nplm.py [--adam-toys 4]

One core, in seconds that the process had it: other work on the machine matters little. Ratios of two things measured in
one run. Adam is that of the papers: one fit at a time, full batch, the same network; 2,000 epochs are timed and scaled
to 200,000, and with `--adam-toys` 50,000 are run on some toys for the t that they reach.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import torch
from figures import Figures
from threadpoolctl import threadpool_limits

from coffea_ddp.stats.log_ratio.nplm import fitter_of, permuted
from coffea_ddp.stats.log_ratio.solvers import KernelSolver, NetworkSolver
from coffea_ddp.stats.samples.permutations import draw_labels
from coffea_ddp.stats.samples.points import pool

FIGURES = Figures()
show = FIGURES.add
FREE = NetworkSolver(slope=None, ridge=0.0, restarts=12, most=200)


def exponentials(n_a: int, n_b: int, d: int = 1):
    """Return pooled points of the null."""
    rng = np.random.default_rng(1)
    return pool(rng.exponential(size=(n_a, d)), rng.exponential(size=(n_b, d)))


def per_second(solver: KernelSolver, points, count: int) -> float:
    """Return permutations a second, labels drawn and both samples fitted."""
    fitter = fitter_of(solver, points, 1)
    permuted(fitter, fitter.block, 2)
    began = time.process_time()
    permuted(fitter, count, 1)
    return count / (time.process_time() - began)


def kernels() -> None:
    """Print the rates of kernels."""
    small, large = exponentials(2_000, 2_000), exponentials(20_000, 20_000, 6)
    for width in (1.0, 0.3, 0.1):
        rate = per_second(KernelSolver(widths=(width,)), small, 2_000)
        show(f"kernel, 2,000 + 2,000, d = 1, 64 centres, width {width}", rate, "permutations/s", least=3_000)
    rate = per_second(KernelSolver(centres=200, widths=(1.0,)), large, 60)
    show("kernel, 20,000 + 20,000, d = 6, 200 centres", rate, "permutations/s", least=100)
    rate = per_second(KernelSolver(widths=(1.0,), score=True), small, 20_000)
    show("score, 2,000 + 2,000, labels drawn", rate, "permutations/s", least=10_000)


def memory() -> None:
    """Print the largest memory of a million events, four features, 1,000 permutations of the score version."""
    points = exponentials(500_000, 500_000, 4)
    for score, count in ((True, 1_000), (False, 5)):
        began = time.process_time()
        permuted(fitter_of(KernelSolver(widths=(1.0,), score=score), points, 1), count, 1)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        name = "score" if score else "fit"
        what = f"10^6 events, d = 4, {count} permutations, {name}, {time.process_time() - began:.0f} s: memory"
        show(what, used, "GB", most=4)


def adam(x: torch.Tensor, y: torch.Tensor, epochs: int, seed: int) -> float:
    """Return t of one sample after so many epochs of Adam, as the papers do it."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    share = y.mean()
    loss = torch.zeros(())
    for _ in range(epochs):
        f = net(x)[:, 0]
        loss = (share * torch.expm1(f) - y * f).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return -2.0 * float(loss.detach())


def networks(toys: int) -> None:
    """Print what a toy costs, and which t it reaches, beside Adam."""
    points = exponentials(2_000, 2_000)
    labels = draw_labels(points.multiplicity, 2_000, 48, 1)
    x = torch.tensor(points.x, dtype=torch.float32)
    sides = [[torch.tensor(one, dtype=torch.float32) for one in (row, 1 - row)] for row in labels]
    began = time.process_time()
    adam(x, sides[0][0], 2_000, 0)
    per_toy = 2 * 100 * (time.process_time() - began)
    print(f"Adam, 200,000 epochs, both fits of a toy: {per_toy:.0f} s (2,000 epochs, scaled)")
    for name, solver in {"without bounds": FREE, "default": NetworkSolver(), "default, 400 cells": None}.items():
        fitter = fitter_of(solver or NetworkSolver(cells=400), points, 1)
        drawn = labels if solver else draw_labels(fitter.points.multiplicity, 2_000, 480, 1)
        began = time.process_time()
        t = np.concatenate([fitter.t(drawn[i : i + fitter.block])[0] for i in range(0, len(drawn), fitter.block)])
        cost = (time.process_time() - began) / len(drawn)
        what = f"network 1-4-1, {name}, {1e3 * cost:.0f} ms a toy, mean t {t.mean():.2f}: Adam / ours"
        show(what, per_toy / cost, "x", least=1_000)
        if solver is FREE and toys:
            slow = [sum(adam(x, side, 50_000, seed) for side in sides[seed]) for seed in range(toys)]
            print(f"Adam, 50,000 epochs, {toys} toys: t {np.round(slow, 2).tolist()}, ours {np.round(t[:toys], 2)}")
            print(f"  mean {np.mean(slow):.2f}, ours {t[:toys].mean():.2f}")
            share = 100 * np.mean(t[:toys] >= np.array(slow) - 0.05)
            show(f"toys of {toys} in which ours is at least that of 50,000 epochs of Adam", share, "%", least=75)


def main() -> int:
    """Print the figures; 0 where all are reached, 1 where one is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adam-toys", type=int, default=0, help="toys that 50,000 epochs of Adam are run on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        kernels()
        networks(options.adam_toys)
        memory()
    return FIGURES.end()


if __name__ == "__main__":
    sys.exit(main())
