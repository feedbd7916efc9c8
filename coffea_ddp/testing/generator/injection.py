"""Signals put into data that are already there: into counts, or among events.

Examples
--------
>>> inject([[5, 5], [5, 5]], [[0.0, 1.0], [0.0, 1.0]], 100, seed=1, poisson=False).sum()
np.int64(120)
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MOST = 1e15
"""numpy draws no Poisson numbers of larger means than about 10^18, and float64 holds no larger whole numbers."""


_OF_THE_CHUNK = ("IdxG", "IDsG")
"""Endings of the names, in NanoAODSchema, of cross-references that number the objects of all events of a chunk."""


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
        If counts are negative or fractional, the template is negative, empty, or of another shape than the bins, n is
        negative, above 10^15 or (without ``poisson``) fractional, or the seed is negative.

    Examples
    --------
    >>> inject(np.full(4, 10), [0.0, 1.0, 0.0, 0.0], 5, seed=1, poisson=False).tolist()
    [10, 15, 10, 10]
    """
    known, shape, wanted = (_numbers(x, name) for x, name in ((counts, "counts"), (template, "template"), (n, "n")))
    if np.asarray(counts).dtype.kind not in "iuf" or (known < 0).any() or (known != np.rint(known)).any():
        raise InputError("counts are whole numbers, 0 or more; give those")
    if shape.shape != known.shape[known.ndim - shape.ndim :]:
        raise InputError(f"a template of shape {shape.shape} for counts of shape {known.shape}; give one value per bin")
    if (shape < 0).any() or not shape.any():
        raise InputError("a template is 0 or more in every bin, and above 0 in some")
    batch = known.shape[: known.ndim - shape.ndim]
    if wanted.shape not in ((), batch):
        raise InputError(f"n has shape {wanted.shape}; give a number, or one for each of the batch {batch}")
    whole = poisson or (wanted == np.rint(wanted)).all()
    if (wanted < 0).any() or (wanted > _MOST).any() or not whole:
        raise InputError(f"n={n!r}: give how many signal events, 0 or more{'' if poisson else ', whole'}")
    rng = _generator(seed)
    chances = (shape / shape.sum()).ravel()
    mean = np.broadcast_to(wanted, batch)
    if poisson:
        drawn = rng.poisson(mean[..., None] * chances)
    else:
        drawn = rng.multinomial(mean.astype(np.int64), chances)
    return np.asarray(np.asarray(counts).astype(np.int64) + drawn.reshape(known.shape))


def inject_events(events: Any, signal: Any, n: int, *, seed: int, replace: bool = False) -> Any:
    """Return events with signal events among them, at random places.

    Parameters
    ----------
    events
        A numpy array with one row an event (or a structured one), or an awkward record array: a chunk of NanoEvents of
        any schema, or a record of branches.
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
        With the fields of ``events``; others of the signal are left out. Of NanoEvents the plain records, which
        :func:`coffea_ddp.fill` takes as well: without coffea's methods, and without the cross-references between
        collections that number the objects of the whole chunk (``..IdxG``), as those are others now.

    Raises
    ------
    InputError
        If there are fewer than n signal events (or, to be replaced, events), n is not whole, the signal lacks a field
        or is another kind of array, or the seed is negative.

    Examples
    --------
    >>> events, signal = np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]])
    >>> inject_events(events, signal, 2, seed=4).ravel()
    array([0., 0., 0., 2., 3.])
    """
    events, signal = _plain(events, "events"), _plain(signal, "signal")
    n_events, n_signal = len(events), len(signal)
    try:
        n = operator.index(n)
    except TypeError:
        raise InputError(f"n={n!r}: give a whole number of signal events") from None
    if not 0 <= n <= n_signal:
        raise InputError(f"n={n} of {n_signal} signal events: give a number between 0 and all of them")
    if replace and n > n_events:
        raise InputError(f"n={n} in place of {n_events} events: there are not so many")
    rng = _generator(seed)
    taken = signal[np.sort(rng.choice(n_signal, n, replace=False))]
    kept = events
    if replace:
        stay = np.ones(n_events, dtype=bool)
        stay[rng.choice(n_events, n, replace=False)] = False
        kept = events[stay]
    joined = _join(kept, taken)
    return joined[rng.permutation(len(joined))]


def _join(events: Any, signal: Any) -> Any:
    if isinstance(events, np.ndarray) != isinstance(signal, np.ndarray):
        raise InputError("one of events and signal is a numpy array and the other is awkward: give two of a kind")
    if isinstance(events, np.ndarray):
        if events.shape[1:] != signal.shape[1:] or events.dtype.names != signal.dtype.names:
            raise InputError(
                f"events of shape {events.shape} and a signal of shape {signal.shape}: give the same columns"
            )
        if not np.can_cast(signal.dtype, events.dtype, "same_kind"):
            raise InputError(
                f"a signal of {signal.dtype} among events of {events.dtype} would be cut; convert one of them"
            )
        return np.concatenate([events, signal.astype(events.dtype)])
    import awkward as ak

    columns = {name: _kept(events[name]) for name in events.fields}
    missing = [name for name in columns if name not in signal.fields]
    for name, column in columns.items():
        known = [] if name in missing else ak.fields(signal[name])
        missing += [f"{name}_{field}" for field in ak.fields(column) if name not in missing and field not in known]
    if missing:
        raise InputError(f"the signal lacks {', '.join(missing)}; make it with the same branches")
    joined = {}
    for name, column in columns.items():
        fields = ak.fields(column)
        parts = column, signal[name][fields] if fields else signal[name]
        # Parameters of one chunk say nothing about another.
        joined[name] = ak.concatenate([ak.without_parameters(part) for part in parts])
    return ak.zip(joined, depth_limit=1)


def _kept(column: Any) -> Any:
    """Return a branch or a collection, without fields that count objects through the whole chunk."""
    import awkward as ak

    fields = ak.fields(column)
    stay = [field for field in fields if not field.endswith(_OF_THE_CHUNK)]
    return column if stay == fields else column[stay]


def _plain(events: Any, name: str) -> Any:
    """Return a numpy array as it is, records without their behaviours: those want coordinates that a file may lack."""
    if isinstance(events, np.ndarray) and events.ndim:
        return events
    import awkward as ak

    if isinstance(events, ak.Array) and events.fields:
        return ak.Array(ak.to_layout(events), behavior={})
    raise InputError(f"{name}: give a numpy array with one row an event, or an awkward array of records")


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from error
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite contents; give finite numbers")
    return array


def _generator(seed: int | np.random.Generator) -> np.random.Generator:
    if not isinstance(seed, np.random.Generator) and seed < 0:
        raise InputError(f"seed={seed}: give 0 or more")
    return np.random.default_rng(seed)
