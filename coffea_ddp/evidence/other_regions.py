"""Tests of stored events, and of a bump at its mass and width, in a region that was chosen beforehand.

Stored events are compared in shape, as in a scan: p is counted among labels that are drawn anew, and has no direction.
A bump is the z of the network at the bin of its mass, for its width; p is the larger of two: that counted among toys of
the smooth background that the network finds in the new spectrum, at that bin alone, and that of a normal z. The first
is right where the background is, the second is conservative for chance, and has too short a tail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.evidence.outcomes import Outcome, untested
from coffea_ddp.histograms.samples import features_of, sample_pair
from coffea_ddp.scanning.bump_range import prepare, within
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES
from coffea_ddp.stats.relabelling import stream
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z, z_from_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.bump_range import Prepared

FEWEST = 10
"""Stored events of a side, below which shapes are not compared."""

_TAKEN_OUT = 3.0
"""Bins within so many widths of a stronger bump of the same spectrum take no part."""

_BATCH = 500


def outcome_of_events(row: Row, hists: Histograms, *, toys: int, seed: int) -> Outcome:
    """Return the outcome of NPLM or of the classifier in the cell of a row."""
    symmetry, observable = str(row.symmetry), None if row.observable == ALL_FEATURES else row.observable
    pair = sample_pair(hists, symmetry, row.cell, features=features_of(hists, symmetry, observable))
    if pair.weights_a is not None:
        return untested("the events have weights")
    if min(len(pair.a), len(pair.b)) < FEWEST:
        return untested(f"{len(pair.a)} and {len(pair.b)} stored events: fewer than {FEWEST} of a side")
    from coffea_ddp.stats import classifier_test, nplm

    made = nplm if row.test == "nplm" else classifier_test
    found = made(pair.a, pair.b, toys=toys, seed=seed, shares=pair.shares)
    z = float(z_from_p(found.p_value, two_sided=True))
    return Outcome(found.p_value, z, len(pair.a), len(pair.b), None, found.method)


def outcome_of_bump(row: Row, hists: Histograms, stronger: Sequence[Row], *, toys: int, seed: int) -> Outcome:
    """Return the outcome of a bump at its mass and width.

    Parameters
    ----------
    row
        Of the bump.
    hists
        The new output.
    stronger
        Rows of stronger bumps of the same spectrum: the bins around them take no part.
    toys, seed
        Of the smooth background.
    """
    bump = row.bump
    if bump is None or bump.position is None or bump.width is None:
        raise InputError(f"row {row.number}: it tells neither the mass nor the width of its bump")
    prepared = within(prepare(hists.spectrum(str(row.observable), row.cell)), bump.low, bump.high)
    if prepared.status is not Status.OK:
        return untested(prepared.reason or prepared.status.value)
    place = int(np.searchsorted(prepared.edges, bump.position, side="right")) - 1
    if not 0 <= place < len(prepared.counts):
        return untested(f"the mass {bump.position:.5g} GeV is outside of the range of the new spectrum")
    sigma = prepared.sigma
    if sigma is None:
        sigma = np.full(len(prepared.counts), bump.width / np.diff(prepared.edges)[place])
    use = _without(prepared, stronger)
    if not use[place]:
        return untested("a stronger bump is there")
    return _network_at(prepared, place, sigma, use, (toys, seed, f"confirm|{row.observable}|{row.cell}"))


def _without(prepared: Prepared, stronger: Sequence[Row]) -> FloatArray:
    """Return 1 for bins that are used, 0 around stronger bumps and in masked bins."""
    centres = 0.5 * (prepared.edges[1:] + prepared.edges[:-1])
    use = prepared.use.copy()
    for one in stronger:
        if one.bump is not None and one.bump.position is not None and one.bump.width is not None:
            use[np.abs(centres - one.bump.position) < _TAKEN_OUT * one.bump.width] = 0.0
    return use


def _network_at(
    prepared: Prepared, place: int, sigma: FloatArray, use: FloatArray, draw: tuple[int, int, str]
) -> Outcome:
    """Return the outcome of the network at one bin."""
    from coffea_ddp.stats.bumphunt.finder import shipped
    from coffea_ddp.stats.bumphunt.hunt import hunt

    toys, seed, key = draw
    finder, counts = shipped(), prepared.counts * use

    def z_of(spectra: FloatArray) -> FloatArray:
        used = np.broadcast_to(use, spectra.shape)
        return np.asarray(hunt(finder, spectra, sigma, used, refine=False).estimates.z[:, place])

    estimates = hunt(finder, counts[None], sigma, use[None], refine=False).estimates
    z, smooth = float(estimates.z[0, place]), estimates.smooth[0] * use
    if not (estimates.inside[0, place] and np.isfinite(z)):
        return untested("the network has no estimate at this bin: it is too near to an end, or nothing is expected")
    n_ge = 0
    for number, start in enumerate(range(0, toys, _BATCH)):
        drawn = stream(seed, key, number).poisson(smooth, (min(_BATCH, toys - start), len(smooth)))
        n_ge += int(np.count_nonzero(z_of(drawn.astype(np.float64)) >= z))
    near = np.abs(np.arange(len(counts)) - place) <= 2.0 * sigma[place]
    counted, normal = (n_ge + 1) / (toys + 1), float(p_from_z(z, two_sided=False))
    how = "z of the network at this mass and width; p: the larger of toys of the smooth background and of a normal z"
    events, expected = float(counts[near].sum()), float(smooth[near].sum())
    count = (n_ge, toys) if counted >= normal else (None, None)
    return Outcome(max(counted, normal), z, None, events, expected, how, *count)
