"""The likelihood L2 written for pyhf, by hand: somebody else's fit of the same model.

``shapesys`` with the nominal ``kappa A`` and the uncertainty ``kappa sqrt(A)`` has the auxiliary count A, so it is the
Poisson term of side A. A bin with A = 0 has a nominal as of a tenth of an event, and is told that its count is 0.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

pyhf = pytest.importorskip("pyhf", reason="an extra of the tests")

EMPTY = 0.1


def model_of(a, b, signal, kappa=1.0, error=0.0):
    """Return pyhf's model and its data; ``error`` is that of ln kappa."""
    a, b, signal = (np.asarray(one, dtype=float).ravel() for one in (a, b, signal))
    count = np.where(a > 0, a, EMPTY)
    modifiers = [{"name": "a", "type": "shapesys", "data": (kappa * np.sqrt(count)).tolist()}]
    if error:
        modifiers.append({"name": "kappa", "type": "normsys", "data": {"hi": math.exp(error), "lo": math.exp(-error)}})
    most = 10.0 * (b.sum() + a.sum() + 10.0)
    spec = {
        "channels": [{"name": "b", "samples": [
            {"name": "signal", "data": signal.tolist(),
             "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
            {"name": "background", "data": (kappa * count).tolist(), "modifiers": modifiers},
        ]}],
        "parameters": [
            {"name": "mu", "bounds": [[0.0, most / signal.sum()]], "inits": [1.0]},
            {"name": "a", "bounds": [[1e-10, float(x)] for x in 10.0 * most / np.minimum(count, kappa * count)],
             "auxdata": a.tolist()},
        ],
    }  # fmt: skip
    model = pyhf.Model(spec, poi_name="mu")
    return model, [*b.tolist(), *model.config.auxdata]


def z_of_discovery(a, b, signal, kappa=1.0, error=0.0):
    """Return the root of pyhf's q0."""
    model, data = model_of(a, b, signal, kappa, error)
    q0 = pyhf.infer.test_statistics.q0(
        0.0, data, model, model.config.suggested_init(), model.config.suggested_bounds(), model.config.suggested_fixed()
    )
    return math.sqrt(max(float(q0), 0.0))


def cls_of(mu, a, b, signal, kappa=1.0, error=0.0):
    """Return pyhf's CLs, observed and the five expected ones."""
    model, data = model_of(a, b, signal, kappa, error)
    observed, expected = pyhf.infer.hypotest(mu, data, model, return_expected_set=True)
    return float(observed), [float(one) for one in expected]
