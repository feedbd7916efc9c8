"""Fits of L1 and L2 a second, and against a scipy minimiser in the same run.

    python benchmarks/bench_likelihood.py

One core; 28 x 28 bins, 25 events a bin, a Gaussian signal.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from bench_scan import fastest
from figures import Figures
from scipy import optimize, special

from coffea_ddp import stats

LEAST = 1e4
N = 2_000


def l2_by_scipy(a: np.ndarray, b: np.ndarray, s: np.ndarray) -> float:
    """Return q0 with a scalar minimiser over mu, the backgrounds in closed form as whole arrays."""

    def nll(mu: float) -> float:
        p = a + b - 2 * mu * s
        beta = (p + np.sqrt(p**2 + 8 * a * mu * s)) / 4
        rate = np.maximum(beta + mu * s, 1e-300)
        return float(-(special.xlogy(a, beta) - beta + special.xlogy(b, rate) - rate).sum())

    most = b.sum() / s.sum()
    best = optimize.minimize_scalar(nll, bounds=(-most, most), method="bounded", options={"xatol": 1e-9}).fun
    return 2 * (nll(0.0) - best)


def main() -> int:
    """Print the figures; 0 where they are reached."""
    x, y = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    template = np.exp(-0.5 * ((x - 14) ** 2 + (y - 14) ** 2) / 2.0**2)
    rng = np.random.default_rng(1)
    a, b = rng.poisson(25.0, (2, N, 28, 28))
    background = np.full((28, 28), 25.0)
    stats.q0_l1(b[:2], background, template), stats.q0_l2(a[:2], b[:2], template)
    figures = Figures()
    for name, fit in (
        ("L1", lambda: stats.q0_l1(b, background, template)),
        ("L2", lambda: stats.q0_l2(a, b, template)),
    ):
        rate = N / fastest(fit, 3)
        figures.add(name, rate, "fits a second", least=LEAST)
    start = time.perf_counter()
    theirs = [l2_by_scipy(a[i], b[i], template) for i in range(100)]
    per_fit = (time.perf_counter() - start) / 100
    ours = stats.q0_l2(a[:100], b[:100], template).q0
    print(f"scipy / ours: {per_fit * rate:.0f} x; largest difference in q0 {np.abs(ours - theirs).max():.1e}")
    return figures.end()


if __name__ == "__main__":
    sys.exit(main())
