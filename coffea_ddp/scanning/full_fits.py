"""Full fits of NPLM in the cells that its score version ranks first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.samples import features_of, sample_pair
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES
from coffea_ddp.stats.defaults import TOYS
from coffea_ddp.stats.log_ratio.nplm import nplm
from coffea_ddp.stats.trials import z_from_p

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row
    from coffea_ddp.scanning.nplm_cells import NPLM


def fits_of(test: NPLM, toys: int) -> dict[str, str | int]:
    """Return the number of full fits, their solver and the permutations of each, for the options of a report.

    Parameters
    ----------
    test
        NPLM with its options.
    toys
        Of the scan.
    """
    return {"number": test.fits, "solver": type(test.solver).__name__, "toys": _toys(test, toys)}


def _toys(test: NPLM, toys: int) -> int:
    return (toys or TOYS) if test.toys is None else test.toys


def with_full_fits(
    rows: Sequence[Row],
    hists: Histograms,
    test: NPLM,
    *,
    toys: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Return the rows, the best of NPLM fitted in full.

    Parameters
    ----------
    rows
        Of the report; those of other tests come back as they are.
    hists
        The output of the pass.
    test
        With the number of fits and the solver.
    toys
        Of the scan: permutations of each fit, unless the test has its own.
    seed
        Of the permutations.
    progress
        Called before every fit, with its name.
    """
    most = test.fits if not hists.layout.weighted else 0
    # Fits are of shapes: the score version of calibrated events knows their number as well, and is kept.
    calibrated = {one.name for one in hists.layout.symmetries if one.exchange and hists.layout.calibration is not None}
    fitted: set[tuple[str | None, int | None]] = set()
    out = []
    for row in rows:
        # One fit for each group of rows about mostly the same events, whatever test leads it.
        group = (row.symmetry, row.similar_to)
        if row.test != test.name or row.symmetry in calibrated or group in fitted or len(fitted) >= most:
            out.append(row)
            continue
        fitted.add(group)
        if progress is not None:
            progress(f"fitting {row.symmetry}: {row.observable}, {row.cell}")
        out.append(_fitted(row, hists, test, _toys(test, toys), seed))
    return out


def _fitted(row: Row, hists: Histograms, test: NPLM, toys: int, seed: int) -> Row:
    """Return a row with the full fit in its cell: t, its own p-value, and p among pseudo-experiments of the cell."""
    observable = None if row.observable == ALL_FEATURES else row.observable
    symmetry = str(row.symmetry)
    pair = sample_pair(hists, symmetry, row.cell, features=features_of(hists, symmetry, observable))
    try:
        found = nplm(pair.a, pair.b, backend=test.solver, toys=toys, seed=seed, shares=pair.shares)
    except InputError as error:
        # Fewer events than the solver has parameters, or networks with expected shares: the score version is kept.
        return dataclasses.replace(row, method=f"{row.method}, no full fit: {error}")
    best = found.families[found.best]
    # Of too few events there is no analytic p, unless there is no other.
    analytic = None if best.is_sparse and found.permutation else best.p_analytic
    p_local = found.p_value if analytic is None else analytic
    counted = "permutations" if pair.shares is None else "labellings drawn from the expected shares"
    how = counted if analytic is None else "weighted sum of chi2"
    return dataclasses.replace(
        row,
        statistic=found.t,
        p_local=p_local,
        z_local=float(z_from_p(p_local, two_sided=True)),
        p_cell=found.p_value if found.permutation else row.p_cell,
        n_ge_cell=found.permutation.n_ge if found.permutation else row.n_ge_cell,
        n_cell=found.permutation.n if found.permutation else row.n_cell,
        method=f"NPLM of shapes, {best.family}, fitted",
        p_method=f"{how}; p cell: {found.method}",
        global_method=f"by score: {row.global_method}",
    )
