"""Rows of a report on bumps: of what was found in spectra, and of spectra that were not tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.rows import Row
from coffea_ddp.scanning.bump_found import Found, z_after
from coffea_ddp.scanning.bump_range import Prepared
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z


class _Significance(NamedTuple):
    """The significance of a bump: z and p at its bin, p of its spectrum, and both after all searches."""

    z_local: float
    p_local: float
    p_cell: float
    z_global: float
    p_global: float


def rows_of(found: Sequence[Found], trials: int) -> list[Row]:
    """Return the rows of bumps, or of the strongest candidates of spectra, in order, after a number of searches."""
    if not found:
        return []
    z_local, z_cell = np.array([one.candidate.z for one in found]), np.array([one.z_spectrum for one in found])
    z_global = z_after(found, trials)
    p_local, p_cell, p_global = (p_from_z(z, two_sided=False) for z in (z_local, z_cell, z_global))
    columns = (part.tolist() for part in (z_local, p_local, p_cell, z_global, p_global))
    return [
        _row_of(one, rank, trials, _Significance(*values))
        for rank, (one, values) in enumerate(zip(found, zip(*columns, strict=True), strict=True), 1)
    ]


def _row_of(found: Found, rank: int, trials: int, values: _Significance) -> Row:
    spectrum, edges, candidate = found.prepared.contents, found.prepared.edges, found.candidate
    position, width = found.position, found.width
    nowhere = "NO_DOMAIN" in candidate.flags
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.name, cell=spectrum.cell,
        region=Region((Range("", position - 2 * width, position + 2 * width, "GeV"),)),
        decays_to=spectrum.decays_to, test="bump", n_a=None, n_b=float(found.prepared.counts.sum()),
        statistic=values.z_local,
        p_local=values.p_local,
        z_local=values.z_local,
        p_global=values.p_global,
        z_global=values.z_global,
        method="bump network",
        p_method=_p_method(found),
        global_method=f"Sidak over {trials} searches",
        status=Status.NO_DOMAIN.name if nowhere else Status.OK.name,
        reason=found.prepared.reason or None,
        rank=rank,
        number=rank,
        similar_to=rank,
        n_bins=int(found.prepared.use.sum()),
        p_cell=values.p_cell,
        bump=BumpPart(
            position, width, candidate.error, float(edges[0]), float(edges[-1]), " ".join(candidate.flags),
            None if candidate.peak is None else candidate.number,
            None if candidate.peak is None else candidate.peak.events,
        ),
        n_ge=found.n_ge,
        n=found.n,
    )  # fmt: skip


def _p_method(found: Found) -> str:
    """Return how the p-values of a bump were made, in words."""
    candidate = found.candidate
    if candidate.by_fit:
        return "one-sided; p spectrum: by what the fit of the peak gains in deviance, without which alone it is smooth"
    spectrum = "calibrated on background-only spectra"
    if candidate.number > 1:
        spectrum += f", {candidate.number - 1} stronger bump{'s' * (candidate.number > 2)} taken out"
    if candidate.scale > 1.0:
        spectrum += (
            f", z divided by {candidate.scale:.2g} as the pulls around them are that much larger than those of chance"
        )
    if found.n_ge is not None:
        toys = f"{found.n} toys of a smooth estimate of it"
        spectrum += f", the larger of this p and that of {toys}" if found.n_ge else f", none of {toys} reaches it"
    return f"one-sided; p spectrum: {spectrum}"


def lost_row(one: Prepared) -> Row:
    """Return the row of a spectrum that was not tested."""
    spectrum, edges = one.contents, one.edges
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.name, cell=spectrum.cell,
        decays_to=spectrum.decays_to, region=None, test="bump", n_a=None, n_b=spectrum.entries, statistic=None,
        p_local=None, z_local=None, p_global=None, z_global=None, method="bump network", status=one.status.name,
        reason=one.reason or one.status.value, bump=BumpPart(low=float(edges[0]), high=float(edges[-1])),
    )  # fmt: skip
