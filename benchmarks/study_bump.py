"""How good is the bump hunt? The tables of docs/validation.md, on families that the network was never trained on.

    python benchmarks/study_bump.py [--spectra 2000] [--null 50000] [--fits 300] [--weights FILE] [--families final]

Per number of bins and width of the signal: the error of z beside what the background's freedom makes impossible, and
beside the classical fits on the same spectra; the largest z; power; calibration; coverage of the stated errors.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.special import gammaincc, ndtri

from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.finder import load, shipped
from coffea_ddp.stats.bumphunt.fits.bump_fit import bump_fit
from coffea_ddp.stats.bumphunt.fits.loglinear import legendre
from coffea_ddp.stats.bumphunt.fits.templates import gaussian_templates
from coffea_ddp.stats.bumphunt.training.families import FINAL, MILD, VALIDATION
from coffea_ddp.stats.bumphunt.training.sampling import SpectrumSettings, draw

SETTINGS = ((100, 1.0), (100, 2.0), (100, 3.0), (50, 2.0), (200, 2.0), (200, 5.0))
STRENGTHS = (0.0, 3.0, 5.0, 7.0, 10.0)
SEED = 424_242


@dataclasses.dataclass
class Spectra:
    """Spectra of one family, length, width and strength, with what every method says of them."""

    family: str
    strength: float
    batch: object
    found: object
    inside: np.ndarray
    p_value: np.ndarray

    def largest(self, z):
        return np.where(self.inside, z, -np.inf).max(axis=1)


def spectra(finder, family, n_bins, sigma, strength, size, number):
    distribution = SpectrumSettings(
        (family,), None, (1e3, 1e7), 0.0 if strength == 0 else 1.0, (max(strength, 1.0),), 0.0, 0.0, 0.0
    )
    batch = draw(
        SEED + number, int(10 * sigma) + 1000 * n_bins, size=size, n_bins=n_bins, sigma=sigma, distribution=distribution
    )
    widths = np.full(n_bins, sigma)
    found = finder.evaluate(batch.counts, widths)
    inside = domain(batch.background, batch.use, sigma)
    if strength:  # a resonance outside of the domain is none that could be found
        rows = inside[np.arange(size), batch.place]
        batch = dataclasses.replace(
            batch,
            **{name: getattr(batch, name)[rows] for name in ("counts", "background", "z", "place", "injected", "use")},
        )
        found = dataclasses.replace(found, **{f.name: getattr(found, f.name)[rows] for f in dataclasses.fields(found)})
        inside = inside[rows]
    return Spectra(family, strength, batch, found, inside, finder.p_value(found, widths))


def leverage(batch, inside, sigma, terms):
    """Mean share of a signal that a background of so many terms imitates."""
    n_bins = batch.background.shape[1]
    rows = np.array([gaussian_templates(n_bins, sigma).row(k) for k in range(n_bins)])
    basis = legendre(n_bins, terms)
    total, count = 0.0, 0
    for b, here in zip(batch.background[:100], inside[:100], strict=True):
        white, _ = np.linalg.qr((np.sqrt(b) * basis).T)
        v = rows / np.sqrt(b)
        share = ((v @ white) ** 2).sum(axis=1) / (v**2).sum(axis=1)
        total, count = total + share[here].sum(), count + here.sum()
    return total / max(count, 1)


def rms(values):
    return float(np.sqrt(np.mean(np.concatenate(values) ** 2)))


def fits(sets, sigma, number):
    """The classical fits on the first spectra of every set: errors of z with and without the veto, largest z."""
    away, vetoed, largest = [], [], {}
    for one in sets:
        rows = slice(0, number)
        result = bump_fit(one.batch.counts[rows], width=sigma)
        inside = one.inside[rows]
        difference = result.z - one.batch.z[rows]
        away.append(difference[inside])
        good = gammaincc(result.ndf / 2, result.deviance / 2) > 0.01
        vetoed.append(difference[good][inside[good]])
        z_fit = np.where(inside, result.z, -np.inf).max(axis=1)
        largest.setdefault(one.strength, []).append(
            np.array([z_fit, one.largest(one.batch.z)[rows], good], dtype=float)
        )
    return away, vetoed, {strength: np.concatenate(parts, axis=1) for strength, parts in largest.items()}


def one_setting(finder, families, n_bins, sigma, options):
    per, null = options.spectra // len(families) + 1, options.null // len(families) // len(SETTINGS) + 1
    sets = [
        spectra(finder, family, n_bins, sigma, strength, null if strength == 0 else per, 100 * i + j)
        for i, family in enumerate(families)
        for j, strength in enumerate(STRENGTHS)
    ]

    # Errors of z: the same number of spectra of every strength, as the classical fits see.
    def errors(chosen):
        return [(one.found.z - one.batch.z)[:per][one.inside[:per]] for one in chosen]

    def stated(chosen):
        return [one.found.error[:per][one.inside[:per]] for one in chosen]

    mild = [one for one in sets if one.family in MILD]
    pulls = np.concatenate(errors(sets)) / np.concatenate(stated(sets))
    classical, vetoed, z_fit = fits(sets, sigma, options.fits // len(families) + 1)
    row = {
        "bins": n_bins, "sigma": sigma, "rmse": rms(errors(sets)), "rmse mild": rms(errors(mild)) if mild else None,
        "floor4": np.sqrt(np.mean([leverage(one.batch, one.inside, sigma, 4) for one in sets])),
        "floor5": np.sqrt(np.mean([leverage(one.batch, one.inside, sigma, 5) for one in sets])),
        "floor6": np.sqrt(np.mean([leverage(one.batch, one.inside, sigma, 6) for one in sets])),
        "fit": rms(classical), "fit veto": rms(vetoed),
        "cover68": float(np.mean(np.abs(pulls) < 1.0)), "cover95": float(np.mean(np.abs(pulls) < 1.96)),
    }  # fmt: skip
    for family in families:
        row[f"rmse {family}"] = rms(errors([one for one in sets if one.family == family]))
    return row, sets, z_fit


def summary(sets, z_fits):
    """Of all settings: the largest z by strength, power, and what the calibrated score is worth."""
    lines = {}
    for name, families in (("all", FINAL + VALIDATION), ("mild", MILD)):
        chosen = [one for one in sets if one.family in families]
        if not chosen:
            continue
        for strength in STRENGTHS:
            away = np.concatenate(
                [
                    one.largest(one.found.peak) - one.largest(one.batch.z)
                    for one in chosen
                    if one.strength == strength and np.isfinite(one.largest(one.batch.z)).all()
                ]
            )
            lines[f"{name} dz_max at {strength:g}"] = (float(away.mean()), float(away.std()))
        null = [one for one in chosen if one.strength == 0]
        z_null = np.concatenate([one.largest(one.found.z) for one in null])
        p_null = np.concatenate([one.p_value for one in null])
        lines[f"{name} null spectra"] = len(z_null)
        lines[f"{name} raw z above 3, 4, 5"] = [float(np.mean(z_null > cut)) for cut in (3, 4, 5)]
        lines[f"{name} calibrated p below 10 %, 1 %, 0.1 %"] = [
            float(np.mean(p_null < cut)) for cut in (0.1, 0.01, 0.001)
        ]
        lines[f"{name} calibrated above 5 sigma"] = float(np.mean(p_null < 2.87e-7))
        local = -ndtri(np.clip(1 - (1 - p_null) ** (1 / 30.0), 1e-300, 1))
        lines[f"{name} calibrated local above 5 sigma"] = float(np.mean(local > 5))
        for label, statistic in (
            ("score", lambda one: -one.p_value),
            ("z", lambda one: one.largest(one.found.z)),
            ("z - error", lambda one: one.largest(one.found.z - one.found.error)),
            ("ideal", lambda one: one.largest(one.batch.z)),
        ):
            cut = np.quantile(np.concatenate([statistic(one) for one in null]), 0.99)
            at5 = np.concatenate([statistic(one) for one in chosen if one.strength == 5])
            lines[f"{name} power at 5 by {label}"] = float(np.mean(at5 > cut))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=2000, help="of each strength and setting")
    parser.add_argument("--null", type=int, default=50_000, help="background-only spectra in all")
    parser.add_argument("--fits", type=int, default=300, help="of each strength and setting for the classical fits")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--families", choices=["final", "validation"], default="final")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    finder = load(options.weights) if options.weights else shipped()
    families = FINAL if options.families == "final" else VALIDATION
    began, every, rows, z_fits = time.monotonic(), [], [], []
    for n_bins, sigma in SETTINGS:
        row, sets, z_fit = one_setting(finder, families, n_bins, sigma, options)
        rows.append(row)
        every += sets
        z_fits.append(z_fit)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    found = {"settings": rows, "summary": summary(every, z_fits), "minutes": (time.monotonic() - began) / 60}
    for strength in STRENGTHS:
        parts = np.concatenate([z_fit[strength] for z_fit in z_fits], axis=1)
        ok = np.isfinite(parts).all(axis=0)
        away = (parts[0] - parts[1])[ok]
        found["summary"][f"fit dz_max at {strength:g}"] = (float(away.mean()), float(away.std()))
    three = [row for row in rows if row["bins"] == 100]
    found["summary"]["rmse, 100 bins, widths 1 to 3"] = {
        name: float(np.sqrt(np.mean([row[name] ** 2 for row in three])))
        for name in three[0] if name not in ("bins", "sigma", "cover68", "cover95") and three[0][name] is not None
    }  # fmt: skip
    for name, value in found["summary"].items():
        print(name, value)
    if options.output:
        options.output.write_text(json.dumps(found, indent=1, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
