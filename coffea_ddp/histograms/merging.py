"""Adding many outputs, in an order that depends on their numbers alone.

Sums of floating-point weights depend on the order in which they are made. Here output ``i`` is always added to the same
others at the same time, whoever made it, wherever and whenever: a run that was disturbed and resumed, on any number of
workers, gives the same bits as one that was not. Eight are added at a time: at most seven outputs a level wait for
others, and what is in an output is moved once a level, so the time is linear but for the logarithm of their number.

Examples
--------
>>> tree = Tree(10, sum)
>>> [tree.put(i, i) for i in (9, 0, 1, 2, 3, 4, 5, 6, 8)]
[False, False, False, False, False, False, False, False, False]
>>> tree.put(7, 7), tree.total
(True, 45)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from coffea_ddp.errors import InputError, MergeError, check_progress, named
from coffea_ddp.histograms.ledger import Ledger

if TYPE_CHECKING:
    from coffea_ddp.histograms.histograms import Histograms

WIDTH = 8
"""Number of outputs that are added at a time."""

EVERYTHING = ""
"""The label of the sum of all datasets."""

T = TypeVar("T")
Node = tuple[int, int]
"""Level (0: what was put) and number within it."""


class Tree(Generic[T]):
    """Adds numbered things as they come, in a fixed order.

    Parameters
    ----------
    n
        Number of outputs to come, at least 1.
    combine
        Adds a few things, given in the order of their numbers; for what lives on a cluster, it may return a promise.
    """

    def __init__(self, n: int, combine: Callable[[Sequence[T]], T]) -> None:
        if n < 1:
            raise InputError(f"a tree of {n} things; there must be at least one")
        self._combine = combine
        self._sizes = [n]
        while self._sizes[-1] > 1:
            self._sizes.append(-(-self._sizes[-1] // WIDTH))
        self._waiting: dict[Node, dict[int, T]] = {}
        self._total: list[T] = []

    @property
    def total(self) -> T:
        """The sum of all things.

        Raises
        ------
        InputError
            If some are still to come.
        """
        if not self._total:
            raise InputError(f"only some of {self._sizes[0]} outputs were added")
        return self._total[0]

    @property
    def waiting(self) -> int:
        """Number of outputs that are held because others, to be added at the same time, are not there yet."""
        return sum(map(len, self._waiting.values()))

    def put(self, number: int, value: T) -> bool:
        """Give the thing of a number, once; tell whether the sum is complete."""
        return self._put((0, number), value)

    def _put(self, node: Node, value: T) -> bool:
        level, number = node
        if level == len(self._sizes) - 1:
            self._total = [value]
            return True
        above = (level + 1, number // WIDTH)
        parts = self._waiting.setdefault(above, {})
        parts[number] = value
        if len(parts) < self._children(above):
            return False
        del self._waiting[above]
        ordered = [parts[number] for number in sorted(parts)]
        return self._put(above, ordered[0] if len(ordered) == 1 else self._combine(ordered))

    def _children(self, node: Node) -> int:
        level, number = node
        return min(WIDTH, self._sizes[level - 1] - number * WIDTH)


class Forest(Generic[T]):
    """A tree for every label: adds what is of one dataset, in a fixed order.

    Parameters
    ----------
    labels
        Of all things, in the order of their numbers; at least one.
    combine
        As of :class:`Tree`.

    Examples
    --------
    >>> forest = Forest(["b", "a", "b"], sum)
    >>> [forest.put(number, value) for number, value in enumerate([1, 10, 2])]
    [None, None, None]
    >>> forest.totals
    {'a': 10, 'b': 3}
    """

    def __init__(self, labels: Sequence[str], combine: Callable[[Sequence[T]], T]) -> None:
        self._combine = combine
        sizes: dict[str, int] = {}
        self._places: list[tuple[str, int]] = []
        for label in labels:
            self._places.append((label, sizes.get(label, 0)))
            sizes[label] = sizes.get(label, 0) + 1
        self._trees = {label: Tree(size, combine) for label, size in sorted(sizes.items())}

    def put(self, number: int, value: T) -> None:
        """Give the thing of a number, once."""
        label, place = self._places[number]
        self._trees[label].put(place, value)

    @property
    def totals(self) -> dict[str, T]:
        """The sums, by label in the order of the alphabet."""
        return {label: tree.total for label, tree in self._trees.items()}

    def results(self, *, by_label: bool) -> dict[str, T]:
        """Return the sums by label, or the sum of them all under :data:`EVERYTHING`."""
        if by_label:
            return self.totals
        parts = list(self.totals.values())
        return {EVERYTHING: parts[0] if len(parts) == 1 else self._combine(parts)}


def add_all(parts: Sequence[Histograms]) -> Histograms:
    """Return the sum of at least one output (a function of this module: it travels to workers by its name)."""
    return type(parts[0]).sum(parts)


def _path(value: Any) -> Path:
    if isinstance(value, str | Path):
        return Path(value)
    raise InputError(f"merge_files: got {named(value)}; give the paths of .ddp files (Histograms are added with +)")


def _of_two(ledgers: Iterable[tuple[Path, Ledger]]) -> MergeError | None:
    """Return the error that names two files of which the entries are the same; ``None`` where there are none."""
    holding: dict[tuple[str, str], list[tuple[Path, Ledger]]] = {}
    for path, ledger in ledgers:
        for key, record in ledger.files.items():
            mine = Ledger({key: record})
            for before, other in holding.setdefault(key, []):
                try:
                    other + mine
                except MergeError as error:
                    return MergeError(f"{before} and {path}: {error}; give one of the two")
            holding[key].append((path, mine))
    return None


def merge_files(
    paths: Iterable[str | Path] | str | Path, *, progress: Callable[[int, int], None] | None = None
) -> Histograms:
    """Return the sum of output files; no more than a few are in memory at a time.

    Parameters
    ----------
    paths
        ``.ddp`` files of one plan over different entries.
    progress
        Called with the number of files that are read, and of all.

    Raises
    ------
    InputError
        If there is no file.
    FileError
        If a file cannot be read.
    MergeError
        If a file is of another plan than the first, or holds entries of another one.

    Examples
    --------
    >>> import tempfile
    >>> from coffea_ddp import run, testing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for seed in (1, 2):
    ...         hists = run("dimuon_charge", testing.make_nanoaod(f"{folder}/{seed}.root", events=200, seed=seed))
    ...         _ = hists.save(f"{folder}/{seed}.ddp")
    ...     merge_files([f"{folder}/1.ddp", f"{folder}/2.ddp"]).n_events
    400
    """
    check_progress("merge_files", progress, "done, total")
    from coffea_ddp.histograms.io import load

    if isinstance(paths, str | Path):
        paths = [paths]
    if not isinstance(paths, Iterable):
        raise InputError(f"merge_files: got {named(paths)}; give the paths of .ddp files")
    given = [_path(path) for path in paths]
    if not given:
        raise InputError("nothing to merge; give at least one .ddp file")
    tree: Tree[Histograms] = Tree(len(given), add_all)
    first = load(given[0])
    ledgers: list[tuple[Path, Ledger]] = []
    for number, path in enumerate(given):
        part = load(path) if number else first
        if part.layout.fingerprint != first.layout.fingerprint:
            raise MergeError(
                f"{path}: of another plan, {part.layout.described}, than {given[0]}: {first.layout.described}; "
                "only outputs of one plan, unchanged, can be added"
            )
        try:
            first.layout.check_same(part.layout)
        except MergeError as error:
            raise MergeError(f"{given[0]} and {path}: {error}") from error
        ledgers.append((path, part.ledger))
        try:
            tree.put(number, part)
        except MergeError as error:
            raise _of_two(ledgers) or error from error
        if progress is not None:
            progress(number + 1, len(given))
    return tree.total
