"""Regions as HistFactory models in JSON: what pyhf and cabinetry read.

The background of a symmetry is ``kappa`` times the control counts, with a ``shapesys`` of the uncertainty ``kappa
sqrt(A)``: its auxiliary count is A, so that the model is the likelihood L2 without any approximation. In a bin without
control counts the nominal background is that of a tenth of an event, and the auxiliary count is set to 0 in the
measurement. What is common to all bins is a ``normsys`` or, where it differs from bin to bin, a ``histosys``; what is
independent from bin to bin a second ``shapesys``. The parameter of interest, mu, is the strength of the signal.

Examples
--------
>>> import numpy as np
>>> from coffea_ddp.exports.models import RegionModel
>>> counts = np.array([4.0, 0.0]), np.array([9.0, 2.0])
>>> model = RegionModel("demo", counts[1], np.array([0.5, 0.5]), np.ones(2), counts[0], True)
>>> found = workspace(model)
>>> found["channels"][0]["samples"][1]["data"], found["observations"][0]["data"]
([4.0, 0.1], [9.0, 2.0])
>>> found["measurements"][0]["config"]["parameters"][1]["auxdata"]
[4.0, 0.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from coffea_ddp._typing import FloatArray
    from coffea_ddp.exports.models import RegionModel

CHANNEL, SIGNAL, BACKGROUND = "region", "signal", "background"
POI = "mu"
COUNTS, SYSTEMATIC = "control_counts", "systematic"
_EMPTY = 0.1
"""Nominal control counts of a bin without any."""
_LEAST = 1e-10
_FAR = 10.0


def workspace(model: RegionModel) -> dict[str, Any]:
    """Return a model as a workspace of pyhf: JSON-ready data.

    Parameters
    ----------
    model
        Of a region.

    Returns
    -------
    dict
        One channel, ``region``, of the samples ``signal`` and ``background``; one measurement, whose parameters have
        bounds wide enough for bins of few events.
    """
    control = np.where(model.control > 0, model.control, _EMPTY) if model.counted else model.control
    nominal = model.ratio * control
    modifiers: list[dict[str, Any]] = []
    parameters = [_strength(model, nominal)]
    if model.counted:
        errors = model.ratio * np.sqrt(control)
        modifiers.append({"name": COUNTS, "type": "shapesys", "data": errors.tolist()})
        most = _FAR * (model.data + nominal + _FAR) / np.minimum(nominal, control)
        parameters.append({
            "name": COUNTS, "bounds": [[_LEAST, float(one)] for one in most], "auxdata": model.control.tolist(),
        })  # fmt: skip
    modifiers += [_common(name, shift, nominal) for name, shift in model.shifts.items()]
    if model.systematic is not None:
        modifiers.append({"name": SYSTEMATIC, "type": "shapesys", "data": (model.systematic * nominal).tolist()})
    strength = {"name": POI, "type": "normfactor", "data": None}
    samples = [
        {"name": SIGNAL, "data": model.signal.tolist(), "modifiers": [strength]},
        {"name": BACKGROUND, "data": nominal.tolist(), "modifiers": modifiers},
    ]
    # The first lines say what the file is.
    return {
        "version": "1.0.0",
        "measurements": [
            {"name": f"coffea-ddp: {model.name}", "config": {"poi": POI, "parameters": parameters}},
        ],
        "channels": [{"name": CHANNEL, "samples": samples}],
        "observations": [{"name": CHANNEL, "data": model.data.tolist()}],
    }


def _strength(model: RegionModel, nominal: FloatArray) -> dict[str, Any]:
    """Return the parameter of interest: it begins at 1, or at the excess, and may explain all data ten times over."""
    total = float(model.signal.sum())
    excess = max(float(model.data.sum() - nominal.sum()) / total, 1.0)
    most = _FAR * (float(model.data.sum()) + _FAR) / total
    return {"name": POI, "inits": [min(excess, 0.5 * most)], "bounds": [[0.0, most]]}


def _common(name: str, shift: FloatArray, nominal: FloatArray) -> dict[str, Any]:
    """Return an uncertainty common to all bins, up and down one standard deviation."""
    high, low = np.exp(shift), np.exp(-shift)
    if np.allclose(shift, shift[0], rtol=1e-9):
        return {"name": name, "type": "normsys", "data": {"hi": float(high[0]), "lo": float(low[0])}}
    data = {"hi_data": (nominal * high).tolist(), "lo_data": (nominal * low).tolist()}
    return {"name": name, "type": "histosys", "data": data}
