"""Pictures of the tests on events: the learned log-ratio and its null, a classifier's scores, and the features."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from coffea_ddp.errors import InputError
from coffea_ddp.histograms.samples import SamplePair, features_of, sample_pair
from coffea_ddp.pages.pictures.drawn import Permuting, Picture
from coffea_ddp.plotting import log_ratio, null, overlay
from coffea_ddp.report.display import plain_p
from coffea_ddp.scanning.unbinned_input import ALL_FEATURES
from coffea_ddp.stats import classifier_test, nplm

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.histograms.histograms import Histograms
    from coffea_ddp.report.rows import Row

_FEW = 200
_MANY_EVENTS = 20_000
"""With more events than this a thousand permutations are a matter of minutes."""
_FEATURES = 6
_BINS = 24


def event_pictures(row: Row, hists: Histograms, label: str, permuting: Permuting) -> tuple[Picture, ...]:
    """Return the pictures of a row of a test on events.

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
    sides = hists.layout.symmetry(symmetry).sides
    head = f"{symmetry}: {row.cell}"
    test = _nplm_pictures if row.test == "nplm" else _classifier_pictures
    labels = _labels(hists, pair.features)
    many = len(pair.a) + len(pair.b) > _MANY_EVENTS
    fewer = dataclasses.replace(permuting, toys=min(permuting.toys, _FEW)) if many else permuting
    return *test(pair, labels, sides, (head, label), fewer), *_features(pair, labels, sides, (head, label))


def _nplm_pictures(
    pair: SamplePair, labels: list[str], sides: tuple[str, str], over: tuple[str, str], permuting: Permuting
) -> tuple[Picture, ...]:
    found = nplm(pair.a, pair.b, toys=permuting.toys, seed=permuting.seed, shares=pair.shares)
    events = np.concatenate([pair.a, pair.b])
    learned = found.log_ratio(events)
    beyond = "" if pair.shares is None else ", beyond the expected shares"
    what = f"the logarithm of the density of A ({sides[0]}) over that of B ({sides[1]}){beyond}"
    shown = min(2, events.shape[1])
    first = log_ratio(events[:, :shown], learned, labels=labels[:shown], title=over[0], label=over[1])
    others = "" if events.shape[1] <= 2 else f" It was learned in {events.shape[1]} features; two are shown."
    caption = f"NPLM's log-ratio: {what}, as {found.families[found.best].family} learned it.{others}"
    spread = f"It goes from {learned.min():+.2f} to {learned.max():+.2f}."
    sample = found.null[found.best]
    count = found.permutation
    p_text = plain_p(found.p_value, count.n_ge if count else None, count.n if count else None)
    second = null(sample, found.t, xlabel="t", p_text=p_text, title=over[0], label=over[1])
    second_caption = f"t of {len(sample):,} {_drawn(pair)}, and t of the data, {found.t:.1f}; {p_text}, {found.method}."
    return (
        Picture("log-ratio", first, caption, f"{caption} {spread}"),
        Picture("null", second, second_caption, f"{second_caption} The pseudo-experiments reach {sample.max():.1f}."),
    )


def _classifier_pictures(
    pair: SamplePair, _labels: list[str], sides: tuple[str, str], over: tuple[str, str], permuting: Permuting
) -> tuple[Picture, ...]:
    # Every permutation is learned anew.
    found = classifier_test(pair.a, pair.b, toys=min(permuting.toys, _FEW), seed=permuting.seed, shares=pair.shares)
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    a, b = (np.histogram(scores, edges)[0].astype(np.float64) for scores in (found.scores_a, found.scores_b))
    ratio = len(pair.b) / len(pair.a)
    first = overlay(
        a, b, edges, xlabel="score: share of events that are less like A", sides=sides, kappa=ratio, title=over[0],
        label=over[1],
    )  # fmt: skip
    caption = f"Out-of-fold scores of the classifier ({found.learner}), A scaled to the size of B; AUC {found.auc:.3f}."
    sample = found.null[0]
    p_text = plain_p(found.p_auc, round(found.p_auc * (len(sample) + 1)) - 1, len(sample))
    second = null(sample, found.auc_z, xlabel="z of the AUC", p_text=p_text, title=over[0], label=over[1])
    null_caption = f"z of the AUC in {len(sample):,} {_drawn(pair)}, and in the data, {found.auc_z:.2f}; {p_text}."
    return Picture("scores", first, caption, caption), Picture("null", second, null_caption, null_caption)


def _features(pair: SamplePair, labels: list[str], sides: tuple[str, str], over: tuple[str, str]) -> list[Picture]:
    out = []
    scaled = (
        "A scaled to the size of B" if pair.shares is None else "A scaled by the expected shares and to the size of B"
    )
    for column, label in enumerate(labels[:_FEATURES]):
        edges = _edges(np.concatenate([pair.a[:, column], pair.b[:, column]]))
        a, b = (np.histogram(side[:, column], edges)[0].astype(np.float64) for side in (pair.a, pair.b))
        ratio = _expected_ratio(pair, column, edges)
        figure = overlay(a, b, edges, xlabel=label, sides=sides, kappa=ratio, title=over[0], label=over[1])
        dropped = f" {pair.n_dropped:,} events of the cell are not stored." if pair.n_dropped else ""
        caption = f"{label} of the stored events, {scaled}: the test compares shapes.{dropped}"
        out.append(Picture(f"feature-{column}", figure, caption, caption))
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
    """Return bins over all but the last per cent of values, which would stretch them."""
    low, high = np.quantile(values, [0.0, 0.99])
    return np.linspace(low, high if high > low else low + 1.0, _BINS + 1)


def _labels(hists: Histograms, names: tuple[str, ...]) -> list[str]:
    known = {feature.name: feature for feature in hists.layout.features}
    found = [known[name] for name in names]
    return [f"{one.label or one.name} [{one.unit}]" if one.unit else one.label or one.name for one in found]
