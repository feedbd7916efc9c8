"""Views of what is stored, as ``hist.Hist``: the matrices A and B of one cell.

Examples
--------
>>> axis = hist.axis.Regular(2, 0, 1)
>>> a, b = (as_hist((axis,), np.array([0.0, n, 5.0, 0.0]), None) for n in (4.0, 9.0))
>>> from coffea_ddp.histograms.cells import CellGrid
>>> pair = MatrixPair("e/mu", "met", CellGrid(()).cell("inclusive"), a, b, 1.0, (0, 0))
>>> pair, pair.asymmetric.values().astype(int)
(MatrixPair('e/mu', 'met', 'inclusive': n_a=9, n_b=14), array([5, 0]))
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hist
import numpy as np

from coffea_ddp.histograms.cells import Cell
from coffea_ddp.spectra.spectrum import MassSpectrum

if TYPE_CHECKING:
    import pandas as pd

    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.cell_counts import CellCounts
    from coffea_ddp.histograms.layout import SymmetryLayout
    from coffea_ddp.histograms.spectrum_layout import SpectrumLayout


@dataclass(frozen=True)
class MatrixPair:
    """The histograms A and B of one symmetry, one observable, one cell.

    Attributes
    ----------
    a, b
        ``hist.Hist`` with integer storage (weighted storage in a weighted plan), flow bins filled.
    kappa
        The expected ratio E[B] / E[A].
    not_filled
        Events of A and of B without a value of the observable, over *all* cells.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/nano.root", events=300, seed=1))
    >>> pair = hists["mu-/mu+ OS", hists.observables("mu-/mu+ OS")[0]]
    >>> pair.kappa
    1.0
    """

    symmetry: str
    observable: str
    cell: Cell
    a: Any
    b: Any
    kappa: float
    not_filled: tuple[int, int]
    partial: bool = False

    @property
    def symmetric(self) -> Any:
        """The histogram A + B."""
        return self.a + self.b

    @property
    def asymmetric(self) -> Any:
        """The histogram B - A: values of a difference; with weighted storage the variances add."""
        difference = self.b.copy()
        view = difference.view(flow=True)
        if view.dtype.names:
            view["value"] -= self.a.view(flow=True)["value"]
            view["variance"] += self.a.view(flow=True)["variance"]
        else:
            view -= self.a.view(flow=True)
        return difference

    @property
    def counts(self) -> tuple[FloatArray, FloatArray]:
        """The contents of A and B inside the axes (no flow bins), as float arrays."""
        return np.asarray(self.a.values(), dtype=float), np.asarray(self.b.values(), dtype=float)

    def __repr__(self) -> str:
        """Return what it is and how many events it has."""
        n_a, n_b = (float(np.sum(side)) for side in self.counts)
        mark = " PARTIAL" if self.partial else ""
        return f"MatrixPair({self.symmetry!r}, {self.observable!r}, {str(self.cell)!r}: n_a={n_a:g}, n_b={n_b:g}){mark}"

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{html.escape(repr(self))}</b></p><table><tr><th>A</th><th>B</th></tr>"
            f"<tr><td>{self.a._repr_html_()}</td><td>{self.b._repr_html_()}</td></tr></table>"
        )


def as_hist(axes: tuple[Any, ...], values: FloatArray, variances: FloatArray | None) -> Any:
    """Return contents, flow bins included, as ``hist.Hist``: whole numbers, or weighted where there are variances.

    Parameters
    ----------
    axes
        ``hist`` axes.
    values, variances
        Of the shape of the axes with their flow bins.

    Examples
    --------
    >>> axis = hist.axis.Regular(2, 0, 1)
    >>> as_hist((axis,), np.array([0.0, 4.0, 5.0, 0.0]), None).values().astype(int)
    array([4, 5])
    """
    if variances is None:
        plain = hist.Hist(*axes, storage=hist.storage.Int64())
        plain.view(flow=True)[...] = values.astype(np.int64)
        return plain
    weighted = hist.Hist(*axes, storage=hist.storage.Weight())
    view = weighted.view(flow=True)
    view["value"], view["variance"] = values, variances
    return weighted


def as_spectrum(
    spectrum: SpectrumLayout, cell: str, values: FloatArray, variances: FloatArray | None, *, partial: bool
) -> MassSpectrum:
    """Return contents, flow bins included, as a mass spectrum.

    Parameters
    ----------
    spectrum
        Its name, axis, resolution and masks.
    cell
        Of which events.
    values, variances
        Shape (n_bins + 2,).
    partial
        Input is missing.
    """
    counts = as_hist((spectrum.axis,), values, variances)
    return MassSpectrum(
        spectrum.exchange_name,
        cell,
        counts,
        resolution=spectrum.resolution,
        masks=spectrum.masks,
        partial=partial,
        title=spectrum.name,
        decays_to=spectrum.decays_to,
    )


def spectra_table(spectra: Iterable[SpectrumLayout], counts: Callable[[str], CellCounts]) -> pd.DataFrame:
    """Return one row per mass spectrum, the fullest first.

    Its name; the entries within its axis, below and above; exclusive cells with any; the axis's range in GeV and bins;
    the names of the masks.

    Parameters
    ----------
    spectra
        Their names and axes.
    counts
        Gives the contents of one by name, flow bins included.
    """
    import pandas as pd

    rows = []
    for spectrum in spectra:
        found = counts(spectrum.name)
        total, edges = found.counts[:, 0].sum(axis=0), spectrum.axis.edges
        rows.append(
            {
                "spectrum": spectrum.name,
                "entries": float(total[1:-1].sum()),
                "below": float(total[0]),
                "above": float(total[-1]),
                "exclusive cells": len(found.codes),
                "low": float(edges[0]),
                "high": float(edges[-1]),
                "bins": len(spectrum.axis),
                "masks": ", ".join(name for _, _, name in spectrum.masks),
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values("entries", ascending=False, kind="stable", ignore_index=True) if rows else table


def symmetries_table(symmetries: Iterable[SymmetryLayout], cells: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """Return one row per symmetry: events on each side, occupied exclusive cells, observables, kappa.

    Parameters
    ----------
    symmetries
        Their names and observables.
    cells
        Gives the occupied exclusive cells of one by name.
    """
    import pandas as pd

    rows = []
    for symmetry in symmetries:
        found = cells(symmetry.name)
        rows.append(
            {
                "symmetry": symmetry.name,
                "A": symmetry.sides[0],
                "B": symmetry.sides[1],
                "n_a": int(found["n_a"].sum()),
                "n_b": int(found["n_b"].sum()),
                "kappa": symmetry.kappa,
                "exclusive cells": len(found),
                "observables": ", ".join(name for name, _ in symmetry.observables),
            }
        )
    return pd.DataFrame(rows)
