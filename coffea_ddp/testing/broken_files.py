"""Files that are broken in chosen ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from coffea_ddp._root_files import SIMULATED_TITLE
from coffea_ddp.errors import InputError
from coffea_ddp.testing.files import EQUAL, RUN, check, generate, in_place, make_nanoaod, write_file

if TYPE_CHECKING:
    from os import PathLike

    from numpy.random import Generator

    from coffea_ddp._typing import AnyArray
    from coffea_ddp.testing.generator.writing import Container

Damage = Literal[
    "negative count",
    "count less by one",
    "count moved",
    "absurd count",
    "zeroed offsets",
    "unordered offsets",
    "half a basket",
]


def make_empty(path: str | PathLike[str], *, version: int = 9, container: Container = "ttree") -> Path:
    """Write a file with all branches and no events.

    Examples
    --------
    >>> import tempfile, uproot
    >>> with uproot.open(make_empty(Path(tempfile.mkdtemp()) / "empty.root")) as file:
    ...     file["Events"].num_entries
    0
    """
    return make_nanoaod(path, events=0, version=version, container=container)


def make_not_finite(
    path: str | PathLike[str], *, events: int = 1_000, seed: int = 1, version: int = 9, share: float = 0.1
) -> Path:
    """Write a file in which a share of the pT of leptons and jets, and of MET, is NaN and as much infinite.

    Examples
    --------
    >>> import tempfile, uproot
    >>> with uproot.open(make_not_finite(Path(tempfile.mkdtemp()) / "nan.root")) as file:
    ...     pt = np.concatenate(list(file["Events/Jet_pt"].array(library="np")))
    >>> bool(np.isnan(pt).any()), bool(np.isinf(pt).any())
    (True, True)
    """
    check(events=events, version=version)
    rng = np.random.default_rng(seed)
    reconstructed = generate(rng, events, (), EQUAL)
    number = np.arange(1, events + 1)
    reconstructed.scalars.update(run=np.full(events, RUN), luminosityBlock=np.ones(events), event=number)
    for name in ("Electron", "Muon", "Jet"):
        _spoil(rng, reconstructed.objects[name].columns["pt"], share)
    _spoil(rng, reconstructed.scalars["met_pt"], share)
    return write_file(path, reconstructed, version=version, container="ttree", drop=(), cluster=20_000)


def make_truncated(source: str | PathLike[str], target: str | PathLike[str], *, fraction: float = 0.5) -> Path:
    """Copy the first part of a file, as an interrupted transfer leaves it.

    Parameters
    ----------
    source, target
        The whole file and the copy.
    fraction
        How much of it is copied, between 0 and 1.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     good = make_nanoaod(f"{folder}/good.root", events=50, seed=1)
    ...     make_truncated(good, f"{folder}/bad.root").stat().st_size < good.stat().st_size
    True
    """
    if not 0.0 < fraction < 1.0:
        raise InputError(f"fraction={fraction}: a truncated file has a part of the bytes; give 0 < fraction < 1")
    data = Path(source).read_bytes()
    return in_place(target, lambda path: path.write_bytes(data[: int(fraction * len(data))]))


def make_corrupt(
    source: str | PathLike[str], target: str | PathLike[str], *, branch: str = "Jet_pt", tree: str = "Events"
) -> Path:
    """Copy a file and overwrite the baskets of one branch: it opens, and fails when that branch is read.

    Parameters
    ----------
    source, target
        The good file and the copy.
    branch, tree
        Whose baskets are spoilt.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     good = make_nanoaod(f"{folder}/good.root", events=50, seed=1)
    ...     make_corrupt(good, f"{folder}/bad.root").read_bytes() != good.read_bytes()
    True
    """
    import uproot

    with uproot.open(source) as file:
        if branch not in file[tree] or not hasattr(file[tree][branch], "num_baskets"):
            raise InputError(
                f"branch={branch!r}: no such branch of a TTree {tree!r} in {source}; name one that is there"
            )
        found = file[tree][branch]
        seeks, sizes = found.member("fBasketSeek"), found.member("fBasketBytes")
        baskets = [(int(seeks[number]), int(sizes[number])) for number in range(found.num_baskets)]
    content = bytearray(Path(source).read_bytes())
    for start, size in baskets:
        content[start : start + size] = b"\xff" * size
    return in_place(target, lambda path: path.write_bytes(content))


def make_damaged(
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    damage: Damage,
    branch: str = "Jet_pt",
    tree: str = "Events",
) -> Path:
    """Copy a file without compression and falsify what one basket says of the lengths of its lists.

    Parameters
    ----------
    source, target
        The good file, of ``make_nanoaod(..., compression="none")``, and the copy.
    damage
        Of the branch with the number of objects: ``"negative count"`` (-1 in one event), ``"count less by one"``,
        ``"count moved"`` (one object from an event to the next that has any), ``"absurd count"`` (10^9 in one event).
        Of the branch itself: ``"zeroed offsets"``, ``"unordered offsets"`` (where its lists begin, backwards),
        ``"half a basket"`` (the second half is zeros, as an interrupted transfer leaves it).
    branch, tree
        A branch of lists; its middle basket is damaged.

    Examples
    --------
    >>> import tempfile, uproot
    >>> folder = Path(tempfile.mkdtemp())
    >>> good = make_nanoaod(folder / "good.root", events=100, compression="none")
    >>> with uproot.open(make_damaged(good, folder / "bad.root", damage="negative count")) as file:
    ...     int(file["Events/nJet"].array().to_numpy().min())
    -1
    """
    import uproot

    if damage not in get_args(Damage):
        raise InputError(f"damage={damage!r}: known are {', '.join(get_args(Damage))}")
    with uproot.open(source) as file:
        found = file[tree].get(branch)
        counter = getattr(found, "count_branch", None)
        if counter is None:
            raise InputError(f"branch={branch!r}: no branch of lists in {tree!r} of {source}; name one that is there")
        changed = counter if "count" in damage else found
        number = changed.num_baskets // 2
        key, basket = changed.basket_key(number), changed.basket(number)
        start = int(changed.member("fBasketSeek")[number]) + key.fKeylen
        stop = start + key.fNbytes - key.fKeylen
    if key.fNbytes != key.fKeylen + key.fObjlen:
        raise InputError(f"{source}: compressed; give a file that was made with compression='none'")
    content = bytearray(Path(source).read_bytes())
    if damage == "half a basket":
        content[(start + stop) // 2 : stop] = bytes(stop - (start + stop) // 2)
    else:
        first = start if changed is counter else stop - 4 * len(basket.byte_offsets)
        content[first:stop] = _falsified(np.frombuffer(content[first:stop], ">i4").copy(), damage).tobytes()
    return in_place(target, lambda path: path.write_bytes(content))


def make_not_root(path: str | PathLike[str]) -> Path:
    """Write a text file, whatever its name says.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_not_root(f"{folder}/bad.root").name
    'bad.root'
    """
    text = "This is not a ROOT file, only called like one.\n" * 20
    return in_place(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def make_wrong_tree(path: str | PathLike[str], *, tree: str = "Other") -> Path:
    """Write a ROOT file without ``Events``: its only tree is called ``tree``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_wrong_tree(f"{folder}/bad.root").name
    'bad.root'
    """
    import uproot

    def write(temporary: Path) -> None:
        with uproot.recreate(temporary) as file:
            file.mktree(tree, {"x": np.float32}, title=SIMULATED_TITLE).extend({"x": np.arange(10, dtype=np.float32)})

    return in_place(path, write)


def _spoil(rng: Generator, column: AnyArray, share: float) -> None:
    u = rng.random(len(column))
    column[u < share] = np.nan
    column[u > 1.0 - share] = np.inf


def _falsified(numbers: AnyArray, damage: Damage) -> AnyArray:
    """Return counts per event, or the places where lists begin, falsified."""
    if damage == "zeroed offsets":
        numbers[:] = 0
    elif damage == "unordered offsets":
        numbers[:] = numbers[::-1].copy()
    elif damage in ("negative count", "absurd count"):
        numbers[len(numbers) // 2] = -1 if damage == "negative count" else 10**9
    else:
        first, second = np.flatnonzero(numbers)[:2]
        numbers[first] -= 1
        numbers[second] += damage == "count moved"
    return numbers
