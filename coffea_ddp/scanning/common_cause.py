"""Rows of a scan that one cause explains: a ratio of B to A that the exclusive cells of a symmetry have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.report.common import CommonAsymmetry
from coffea_ddp.stats.homogeneity import common_ratio

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.expectation import ChannelExpectation, Expectation
    from coffea_ddp.scanning.per_symmetry import Channels

SIGNIFICANT = 0.05
"""Only a group with a row of at most this global p is reported."""


def common_asymmetries(
    hists: Histograms, rows: Sequence[Row], channels: Channels, expectation: Expectation
) -> tuple[CommonAsymmetry, ...]:
    """Return the common asymmetries of symmetries, each with two rows or more that it explains.

    Parameters
    ----------
    hists
        The output of a pass.
    rows
        Of the scan, ranked.
    channels
        The symmetries that were scanned.
    expectation
        Of side B. Where it is estimated from the data, corrected or calibrated, there is no common asymmetry; nor in
        weighted events, whose counts are no Poisson numbers.
    """
    found = []
    for symmetry, observables in channels if not hists.layout.weighted else ():
        layout, events = hists.layout.symmetry(symmetry), hists.cell_counts(symmetry)
        if layout.exchange and hists.layout.calibration is not None:
            continue  # efficiencies are in the expected shares
        if expectation.corrects(symmetry, observables):
            continue
        expected = expectation.of(events, events, layout.kappa)
        known = common_ratio(*events.counts[:, :, 0].T, kappa=expected.kappa) if _is_given(expected) else None
        if known is None:
            continue
        mine = [row for row in rows if row.symmetry == symmetry and row.rank is not None]
        z, asymmetry = (np.array([_number(row, name) for row in mine]) for name in ("z_local", "asymmetry"))
        explained = known.explains(z, asymmetry, np.array([row.n_regions or 1 for row in mine]))
        members = [row for row, is_one in zip(mine, explained, strict=True) if is_one]
        if len(members) < 2 or not any(row.p_global is not None and row.p_global <= SIGNIFICANT for row in members):
            continue
        values = dataclasses.asdict(known)
        ranks = tuple(sorted(row.rank for row in members if row.rank is not None))
        found.append(CommonAsymmetry(symmetry=symmetry, sides=layout.sides, ranks=ranks, **values))
    return tuple(found)


def _is_given(expected: ChannelExpectation) -> bool:
    """Return whether kappa is a number that is taken as exact: the plan's, or one that was given."""
    estimated = expected.per_cell or expected.estimated_from is not None
    return expected.status is None and expected.shares is None and not estimated


def _number(row: Row, name: str) -> float:
    value = row.z_local if name == "z_local" else row.ratio.asymmetry if row.ratio else None
    return np.nan if value is None else value
