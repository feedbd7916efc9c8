"""Signals put into data that are already there: into counts, or among events.

Examples
--------
>>> inject([[5, 5], [5, 5]], [[0.0, 1.0], [0.0, 1.0]], 100, seed=1, poisson=False).sum()
np.int64(120)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def inject(
    counts: ArrayLike, template: ArrayLike, n: ArrayLike, *, seed: int | np.random.Generator, poisson: bool = True
) -> NDArray[np.int64]:
    """Return counts with a signal added to them.

    Parameters
    ----------
    counts
        Whole numbers, shape (*batch, *bins).
    template
        The shape of the signal, 0 or more in every bin; shape (*bins). Its scale does not matter.
    n
        Signal events: a number, or one for each of the batch.
    seed
        A number, or a generator to draw from.
    poisson
        Whether n is the mean of a Poisson number; else exactly n events are added.

    Returns
    -------
    ndarray of int64
        As ``counts``: never less than them in any bin, the same where the template is 0.

    Raises
    ------
    InputError
        If counts are negative or fractional, the template is negative, empty, or of another shape than the bins, or
        n is negative or (without ``poisson``) fractional.
    """
    known, shape = np.asarray(counts), np.asarray(template, dtype=np.float64)
    if known.dtype.kind not in "iuf" or (known < 0).any() or (known != np.rint(known)).any():
        raise InputError("counts are whole numbers, 0 or more; give those")
    if shape.shape != known.shape[known.ndim - shape.ndim :]:
        raise InputError(f"a template of shape {shape.shape} for counts of shape {known.shape}; give one value per bin")
    if not np.isfinite(shape).all() or (shape < 0).any() or not shape.any():
        raise InputError("a template is 0 or more in every bin, and above 0 in some")
    batch = known.shape[: known.ndim - shape.ndim]
    wanted = np.asarray(n, dtype=np.float64)
    if wanted.shape not in ((), batch):
        raise InputError(f"n has shape {wanted.shape}; give a number, or one for each of the batch {batch}")
    whole = poisson or (wanted == np.rint(wanted)).all()
    if not np.isfinite(wanted).all() or (wanted < 0).any() or not whole:
        raise InputError(f"n={n!r}: give how many signal events, 0 or more{'' if poisson else ', whole'}")
    rng = np.random.default_rng(seed)
    chances = (shape / shape.sum()).ravel()
    mean = np.broadcast_to(wanted, batch)
    if poisson:
        drawn = rng.poisson(mean[..., None] * chances)
    else:
        drawn = rng.multinomial(mean.astype(np.int64), chances)
    return np.asarray(known.astype(np.int64) + drawn.reshape(known.shape))


def inject_events(events: Any, signal: Any, n: int, *, seed: int, replace: bool = False) -> Any:
    """Return events with signal events among them, at random places.

    Parameters
    ----------
    events
        A numpy array with one row an event (or a structured one), or an awkward record array such as a chunk of
        NanoEvents.
    signal
        Events of the same kind, of which n different ones are taken.
    n
        How many.
    seed
        The same seed takes the same events and places.
    replace
        Whether they take the places of other events; else there are n more.

    Returns
    -------
    As ``events``
        With at least the fields of ``events``; others of the signal are left out.

    Raises
    ------
    InputError
        If there are fewer than n signal events (or, to be replaced, events), or the signal lacks a field.
    """
    n_events, n_signal = len(events), len(signal)
    if not 0 <= n <= n_signal:
        raise InputError(f"n={n} of {n_signal} signal events: give a number between 0 and all of them")
    if replace and n > n_events:
        raise InputError(f"n={n} in place of {n_events} events: there are not so many")
    rng = np.random.default_rng(seed)
    taken = signal[np.sort(rng.choice(n_signal, n, replace=False))]
    kept = events
    if replace:
        stay = np.ones(n_events, dtype=bool)
        stay[rng.choice(n_events, n, replace=False)] = False
        kept = events[stay]
    joined = _join(kept, taken)
    return joined[rng.permutation(len(joined))]


def _join(events: Any, signal: Any) -> Any:
    if isinstance(events, np.ndarray):
        if events.shape[1:] != np.shape(signal)[1:] or events.dtype.names != signal.dtype.names:
            raise InputError(
                f"events of shape {events.shape} and a signal of shape {np.shape(signal)}: give the same columns"
            )
        return np.concatenate([events, signal.astype(events.dtype)])
    import awkward as ak

    missing = [name for name in events.fields if name not in signal.fields]
    if missing:
        raise InputError(f"the signal lacks {', '.join(missing)}; make it with the same branches")
    # Plain records: behaviours and parameters of one chunk say nothing about another.
    columns = {name: [ak.without_parameters(part[name]) for part in (events, signal)] for name in events.fields}
    return ak.zip({name: ak.concatenate(parts) for name, parts in columns.items()}, depth_limit=1)
