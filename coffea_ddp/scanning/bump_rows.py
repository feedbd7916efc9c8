"""Rows of a report on bumps: of what was found in spectra, and of spectra that were not tested."""

from __future__ import annotations

from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.regions import Range, Region
from coffea_ddp.report.rows import Row
from coffea_ddp.scanning.bump_range import Prepared
from coffea_ddp.scanning.bump_search import Found
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z


def row_of(found: Found, rank: int, trials: int) -> Row:
    """Return the row of a bump, or of the strongest candidate of a spectrum, after a number of searches."""
    spectrum, edges = found.prepared.spectrum, found.prepared.edges
    position, width, z, z_global = found.position, found.width, found.z, found.z_global(trials)
    nowhere = "NO_DOMAIN" in found.flags
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.title or spectrum.combination, cell=spectrum.cell,
        region=Region((Range("", position - 2 * width, position + 2 * width, "GeV"),)),
        decays_to=spectrum.decays_to, test="bump", n_a=None, n_b=float(found.prepared.counts.sum()), statistic=z,
        p_local=float(p_from_z(z, two_sided=False)),
        z_local=z,
        p_global=float(p_from_z(z_global, two_sided=False)),
        z_global=z_global,
        method="bump network",
        p_method=_p_method(found),
        global_method=f"Sidak over {trials} searches",
        status=Status.NO_DOMAIN.name if nowhere else Status.OK.name,
        reason=found.prepared.reason or None,
        rank=rank,
        similar_to=rank,
        n_bins=int(found.prepared.use.sum()),
        p_cell=float(p_from_z(found.z_spectrum, two_sided=False)),
        bump=BumpPart(
            position, width, found.error, float(edges[0]), float(edges[-1]), " ".join(found.flags),
            None if found.peak is None else found.number, None if found.peak is None else found.peak.events,
        ),
        n_ge=found.n_ge,
        n=found.n,
    )  # fmt: skip


def _p_method(found: Found) -> str:
    """Return how the p-values of a bump were made, in words."""
    if found.by_fit:
        return "one-sided; p spectrum: by what the fit of the peak gains in deviance, without which alone it is smooth"
    spectrum = "calibrated on background-only spectra"
    if found.number > 1:
        spectrum += f", {found.number - 1} stronger bump{'s' * (found.number > 2)} taken out"
    if found.scale > 1.0:
        spectrum += (
            f", z divided by {found.scale:.2g} as the pulls around them are that much larger than those of chance"
        )
    if found.n_ge is not None:
        toys = f"{found.n} toys of a smooth estimate of it"
        spectrum += f", the larger of this p and that of {toys}" if found.n_ge else f", none of {toys} reaches it"
    return f"one-sided; p spectrum: {spectrum}"


def lost_row(one: Prepared) -> Row:
    """Return the row of a spectrum that was not tested."""
    spectrum, edges = one.spectrum, one.edges
    return Row(
        kind="spectrum", symmetry=None, observable=spectrum.title or spectrum.combination, cell=spectrum.cell,
        decays_to=spectrum.decays_to, region=None, test="bump", n_a=None, n_b=spectrum.entries, statistic=None,
        p_local=None, z_local=None, p_global=None, z_global=None, method="bump network", status=one.status.name,
        reason=one.reason or one.status.value, bump=BumpPart(low=float(edges[0]), high=float(edges[-1])),
    )  # fmt: skip
