"""Fit ranges: those of many spectra at once are those of each alone."""

from __future__ import annotations

import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.scanning.bump_contents import contents_of
from coffea_ddp.scanning.bump_range import prepare, prepare_all
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.stats.bumphunt.fit_range import begins_at, ends_at
from coffea_ddp.stats.status import Status

AXES = (
    hist.axis.Regular(40, 0.0, 400.0, name="mass"),
    hist.axis.Regular(64, 0.0, 640.0, name="mass"),
    hist.axis.Variable([*np.arange(0.0, 200.0, 5.0), *np.arange(200.0, 400.0, 20.0), 400.0], name="mass"),
)
KINDS = ("counts", "few", "empty", "thirds", "threes", "negative", "weights", "bad variances")


def made(kind: str, axis: int, width: float | None, mask: bool, seed: int) -> MassSpectrum:
    rng = np.random.default_rng(seed)
    n_bins = len(AXES[axis])
    first, last = np.sort(rng.integers(0, n_bins, 2))
    counts = rng.poisson(200.0 * np.exp(-np.arange(n_bins) / 15.0)).astype(float)
    counts[:first] = counts[last + 1 :] = 0.0
    counts[rng.integers(n_bins)] += 1.0
    variances = None
    if kind == "few":
        counts = np.minimum(counts, 1.0)
    elif kind == "empty":
        counts[:] = 0.0
    elif kind == "thirds":
        counts /= 3.0
    elif kind == "threes":
        counts *= 3.0
    elif kind == "negative":
        counts[n_bins // 2] = -2.0
    elif kind == "weights":
        variances = 0.5 * counts
    elif kind == "bad variances":
        variances = -1.0 - counts
    storage = hist.storage.Double() if variances is None else hist.storage.Weight()
    histogram = hist.Hist(AXES[axis], storage=storage)
    view = histogram.view()
    if variances is None:
        view[...] = counts
    else:
        view["value"], view["variance"] = counts, variances
    masks = ((50.0, 80.0, "Z"),) if mask else ()
    return MassSpectrum("m0m1", f"j={seed}", histogram, width=width, masks=masks)


ONE = st.builds(
    made,
    st.sampled_from(KINDS),
    st.integers(0, len(AXES) - 1),
    st.sampled_from([None, 12.0, 25.0, 1e4]),
    st.booleans(),
    st.integers(0, 999),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, max_size=8), st.booleans())
def test_ranges_of_many_spectra_are_those_of_each_alone(spectra: list[MassSpectrum], whole: bool) -> None:
    together = prepare_all(contents_of(spectra), whole=whole)
    assert len(together) == len(spectra)
    for one, spectrum in zip(together, spectra, strict=True):
        alone = prepare(spectrum, whole=whole)
        assert (one.first, one.stop, one.status, one.reason) == (alone.first, alone.stop, alone.status, alone.reason)
        assert one.contents.cell == spectrum.cell
        if one.status is Status.OK:
            assert np.array_equal(one.counts, alone.counts)
            assert np.array_equal(one.use, alone.use)
            assert np.array_equal(one.edges, spectrum.edges[one.first : one.stop + 1])


def test_every_kind_is_met() -> None:
    spectra = [made(kind, 1, 20.0, False, seed) for kind in KINDS for seed in range(6)]
    met = {one.status for one in prepare_all(contents_of(spectra), whole=True)}
    assert met == {
        Status.OK, Status.TOO_FEW_ENTRIES, Status.NOT_COUNTS, Status.SCALED, Status.NEGATIVE, Status.BAD_VARIANCES,
    }  # fmt: skip


@given(st.lists(st.lists(st.integers(0, 4), min_size=30, max_size=30), min_size=1, max_size=5), st.floats(0.3, 6.0))
def test_ends_are_found_row_by_row(counts: list[list[int]], sigma: float) -> None:
    rows = np.array(counts, dtype=float)
    assert ends_at(rows, sigma).tolist() == [int(ends_at(row, sigma)) for row in rows]
    assert begins_at(rows, sigma).tolist() == [30 - int(ends_at(row[::-1], sigma)) for row in rows]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_contents_that_are_no_numbers_are_not_tested(wrong: float) -> None:
    spectrum = made("counts", 1, 20.0, False, 1)
    spectrum.hist.view()[3] = wrong
    one = prepare(spectrum)
    assert one.status is Status.NOT_FINITE
    assert "not finite" in one.reason
