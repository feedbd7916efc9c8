"""Figures of the tests on events: the learned log-ratio and its null, a classifier's scores, and the features."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.samples import SamplePair, features_of, sample_pair
from coffea_ddp.pages.pictures.compared import Sides, Texts, compared_figure
from coffea_ddp.pages.pictures.drawn import Permuting, names_of, title_of
from coffea_ddp.pages.pictures.figure import Axis
from coffea_ddp.pages.pictures.log_ratios import log_ratio_figure
from coffea_ddp.pages.pictures.mathematics import as_text
from coffea_ddp.pages.pictures.nulls import null_figure
from coffea_ddp.report.cell_words import symbols
from coffea_ddp.report.display import plain_p
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES
from coffea_ddp.stats import classifier_test, nplm

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.pages.pictures.figure import Figure
    from coffea_ddp.report.rows import Row

_FEW = 200
_MANY_EVENTS = 20_000
"""With more events than this a thousand permutations are a matter of minutes."""
_FEATURES = 6
_BINS = 24
_MOST_BINS = 120


class _Over(NamedTuple):
    """Words over all figures of a row: the names of the sides, its title, and dataset or luminosity."""

    sides: tuple[str, str]
    title: str
    label: str

    def texts(self, name: str, caption: str, text: str = "") -> Texts:
        """Return the texts of a figure."""
        return Texts(name, self.title, self.label, caption, text or caption)


class _Feature(NamedTuple):
    """A feature of events: its name, label and unit."""

    name: str
    label: str
    unit: str

    def axis(self, edges: FloatArray) -> Axis:
        """Return it as the axis of a figure."""
        return Axis(self.name, symbols(as_text(self.label)), as_text(self.unit), edges)


def event_pictures(row: Row, hists: Histograms, label: str, permuting: Permuting) -> tuple[Figure, ...]:
    """Return the figures of a row of a test on events.

    Parameters
    ----------
    row
        Of NPLM or of the classifier.
    hists
        The output of the pass.
    label
        The label over the figures.
    permuting
        Of the scan.

    Raises
    ------
    UnknownNameError
        If the histograms have no such symmetry, observable or cell.
    InputError
        If events are not stored, or too few for a fit.
    """
    symmetry = str(row.symmetry)
    observable = None if row.observable == ALL_FEATURES else row.observable
    pair = sample_pair(hists, symmetry, row.cell, features=features_of(hists, symmetry, observable))
    if pair.weights_a is not None:
        raise InputError("the events have weights; the tests on them are drawn without weights only")
    if not len(pair.a) or not len(pair.b):
        raise InputError("one side has no stored events")
    sides = names_of(hists.layout.symmetry(symmetry).sides)
    over = _Over(sides, title_of(symmetry, row.cell), label)
    test = _nplm_pictures if row.test == "nplm" else _classifier_pictures
    features = _known(hists, pair.features)
    many = len(pair.a) + len(pair.b) > _MANY_EVENTS
    fewer = dataclasses.replace(permuting, toys=min(permuting.toys, _FEW)) if many else permuting
    return *test(pair, features, over, fewer), *_features(pair, features, over)


def _nplm_pictures(pair: SamplePair, features: list[_Feature], over: _Over, permuting: Permuting) -> tuple[Figure, ...]:
    found = nplm(pair.a, pair.b, toys=permuting.toys, seed=permuting.seed, shares=pair.shares)
    events = np.concatenate([pair.a, pair.b])
    learned = found.log_ratio(events)
    beyond = "" if pair.shares is None else ", beyond the expected shares"
    what = f"the logarithm of the density of A ({over.sides[0]}) over that of B ({over.sides[1]}){beyond}"
    shown = min(2, events.shape[1])
    axes = [one.axis(_edges(events[:, column])) for column, one in enumerate(features[:shown])]
    others = "" if events.shape[1] <= 2 else f" It was learned in {events.shape[1]} features; two are shown."
    caption = f"NPLM's log-ratio: {what}, as {found.families[found.best].family} learned it.{others}"
    spread = f"It goes from {learned.min():+.2f} to {learned.max():+.2f}."
    sample = found.null[found.best]
    count = found.permutation
    p_text = plain_p(found.p_value, count.n_ge if count else None, count.n if count else None)
    null_caption = f"t of {len(sample):,} {_drawn(pair)}, and t of the data, {found.t:.1f}; {p_text}, {found.method}."
    reach = f"{null_caption} The pseudo-experiments reach {sample.max():.1f}."
    return (
        log_ratio_figure(events[:, :shown], learned, axes, over.texts("log-ratio", caption, f"{caption} {spread}")),
        null_figure(sample, found.t, "t", p_text, over.texts("null", null_caption, reach)),
    )


def _classifier_pictures(
    pair: SamplePair, _features: list[_Feature], over: _Over, permuting: Permuting
) -> tuple[Figure, ...]:
    # Every permutation is learned anew.
    found = classifier_test(pair.a, pair.b, toys=min(permuting.toys, _FEW), seed=permuting.seed, shares=pair.shares)
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    a, b = (np.histogram(scores, edges)[0].astype(np.float64) for scores in (found.scores_a, found.scores_b))
    ratio = len(pair.b) / len(pair.a)
    axis = Axis("score", "score: share of events that are less like A", "", edges)
    caption = f"Out-of-fold scores of the classifier ({found.learner}), A scaled to the size of B; AUC {found.auc:.3f}."
    sample = found.null[0]
    p_text = plain_p(found.p_auc, round(found.p_auc * (len(sample) + 1)) - 1, len(sample))
    null_caption = f"z of the AUC in {len(sample):,} {_drawn(pair)}, and in the data, {found.auc_z:.2f}; {p_text}."
    return (
        compared_figure(Sides(a, b, ratio, None, over.sides), axis, over.texts("scores", caption)),
        null_figure(sample, found.auc_z, "z of the AUC", p_text, over.texts("null", null_caption)),
    )


def _features(pair: SamplePair, features: list[_Feature], over: _Over) -> list[Figure]:
    out = []
    scaled = (
        "A scaled to the size of B" if pair.shares is None else "A scaled by the expected shares and to the size of B"
    )
    for column, feature in enumerate(features[:_FEATURES]):
        values = np.concatenate([pair.a[:, column], pair.b[:, column]])
        axis = feature.axis(_edges(values))
        a, b = (np.histogram(side[:, column], axis.edges)[0].astype(np.float64) for side in (pair.a, pair.b))
        ratio = _expected_ratio(pair, column, axis.edges)
        dropped = f" {pair.n_dropped:,} events of the cell are not stored." if pair.n_dropped else ""
        above = int((values > axis.edges[-1]).sum())
        beyond = f" {above:,} are above {axis.edges[-1]:.5g} {axis.unit}".rstrip() + "." if above else ""
        caption = f"{axis.label} of the stored events, {scaled}: the test compares shapes.{beyond}{dropped}"
        out.append(
            compared_figure(Sides(a, b, ratio, None, over.sides), axis, over.texts(f"feature-{column}", caption))
        )
    return out


def _drawn(pair: SamplePair) -> str:
    return "permutations of the labels" if pair.shares is None else "labellings drawn from the expected shares"


def _expected_ratio(pair: SamplePair, column: int, edges: FloatArray) -> float | FloatArray:
    """Return B / A as it is expected in the bins of a feature, for as many events of both sides as there are."""
    ratio = len(pair.b) / len(pair.a)
    if pair.shares is None:
        return ratio
    values, shares = np.concatenate([pair.a[:, column], pair.b[:, column]]), np.concatenate(pair.shares)
    b, a = (np.histogram(values, edges, weights=part)[0] for part in (shares, 1.0 - shares))
    scale = ratio * (1.0 - shares).sum() / shares.sum()
    return np.asarray(np.where((a > 0) & (b > 0), scale * b / np.where(a > 0, a, 1.0), ratio))


def _edges(values: FloatArray) -> FloatArray:
    """Return bins over all values: equal ones, most of them where 99 per cent of the values are, 120 at most."""
    low, most, high = np.quantile(values, [0.0, 0.99, 1.0])
    width = (most - low) / _BINS if most > low else 1.0 / _BINS
    bins = int(np.clip(np.ceil((high - low) / width * (1.0 - 1e-9)), _BINS, _MOST_BINS))
    return np.asarray(low + width * np.arange(bins + 1))


def _known(hists: Histograms, names: tuple[str, ...]) -> list[_Feature]:
    known = {feature.name: feature for feature in hists.layout.features}
    found = [known[name] for name in names]
    return [_Feature(one.name, one.label or one.name, one.unit or "") for one in found]
