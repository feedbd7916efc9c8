"""Blocks of prefix sums over the columns of a strip of rows, of which the largest and the smallest are known.

Whatever starts in one block and stops in another one has no more than the largest of the second less the smallest of
the first, and no less than the smallest of the second less the largest of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coffea_ddp.stats._compiled import TOYS, compiled
from coffea_ddp.stats.submatrix.bounded.measured import OUTER

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, FloatArray, IntArray

LANES = 2 * TOYS
"""Pseudo-experiments in the innermost loop."""

LEVELS = 2
"""Blocks of 2, 4 ... 2^LEVELS prefix sums."""

HALF = 16
"""Bits of a place in a pair of places."""

FIRST_PLACE = (1 << HALF) - 1
"""Bits of the first place of a pair."""


class Sums(NamedTuple):
    """Sums over the first rows and columns of the matrix of a cluster; one more of each than it has.

    Attributes
    ----------
    w
        ``w`` of core and hull together, of 16 or 32 bits; shape (n_rows + 1, n_columns + 1, LANES) or larger.
    known
        Measures: what all pseudo-experiments share; shape (n_rows + 1, n_columns + 1, n_known) or larger.
    n_columns
        Of the matrix.
    slack
        What rounding changes ``2 w`` by at most.
    """

    w: AnyArray
    known: FloatArray
    n_columns: int
    slack: int


class Strip(NamedTuple):
    """Room for the prefix sums of a strip of rows, and their blocks.

    Attributes
    ----------
    nodes
        Prefix sums, then the largest of blocks of 2, the smallest, the largest of blocks of 4 ...; shape (n, LANES).
    column
        Columns of the strip that are not empty; shape (n_columns + 1,).
    known
        Measures of the columns before; shape (n_columns + 1, n_known).
    pairs
        Pairs of blocks to test, and those of the next level; shape (2, n). What is left of the last level, single
        rectangles, is in the second row.
    rows, rise, fall
        The row of limits of pairs, and what is to be added to ``w`` and to ``-w`` of them at most; shape (n,).
    levels
        Where the largest and the smallest of the blocks of every level begin; shape (2, LEVELS + 1).
    """

    nodes: AnyArray
    column: IntArray
    known: FloatArray
    pairs: IntArray
    rows: IntArray
    rise: IntArray
    fall: IntArray
    levels: IntArray


def strip_for(n_columns: int, n_known: int, dtype: Any) -> Strip:
    """Return room for the strips of a matrix with a number of columns."""
    sizes = [n_columns + 1]
    for _ in range(LEVELS):
        sizes.append((sizes[-1] + 1) // 2)
    column, known = np.zeros(n_columns + 1, np.int64), np.zeros((n_columns + 1, n_known))
    pairs = np.zeros((2, (n_columns + 2) * (n_columns + 3) // 2 + 4), np.int64)
    nodes, levels = np.zeros((sizes[0] + 2 * sum(sizes[1:]), LANES), dtype), np.zeros((2, LEVELS + 1), np.int64)
    rows, rise, fall = np.zeros((3, pairs.shape[1]), np.int64)
    return Strip(nodes, column, known, pairs, rows, rise, fall, levels)


@compiled
def fill_prefixes(sums: Sums, first_row: int, stop_row: int, strip: Strip) -> int:
    """Fill the prefix sums over the columns of a strip that are not empty; return how many columns these are."""
    whole, n_ends = sums.w.dtype.type, 0
    strip.known[0] = 0.0
    for t in range(LANES):
        strip.nodes[0, t] = 0
    for stop in range(1, sums.n_columns + 1):
        outer = sums.known[stop_row, stop, OUTER] - sums.known[first_row, stop, OUTER]
        if outer <= strip.known[n_ends, OUTER]:
            continue
        strip.column[n_ends] = stop - 1
        n_ends += 1
        for k in range(strip.known.shape[1]):
            strip.known[n_ends, k] = sums.known[stop_row, stop, k] - sums.known[first_row, stop, k]
        for t in range(LANES):
            strip.nodes[n_ends, t] = whole(sums.w[stop_row, stop, t] - sums.w[first_row, stop, t])
    return n_ends


@compiled
def fill_blocks(nodes: AnyArray, levels: IntArray, n_ends: int) -> None:
    """Fill the largest and the smallest of blocks, and where those of every level begin."""
    size, end = n_ends + 1, n_ends + 1
    for level in range(1, LEVELS + 1):
        half, above, below = (size + 1) // 2, levels[0, level - 1], levels[1, level - 1]
        levels[0, level], levels[1, level] = end, end + half
        for i in range(half):
            one, other = 2 * i, min(2 * i + 1, size - 1)
            for t in range(LANES):
                nodes[end + i, t] = max(nodes[above + one, t], nodes[above + other, t])
            for t in range(LANES):
                nodes[end + half + i, t] = min(nodes[below + one, t], nodes[below + other, t])
        size, end = half, end + 2 * half


@compiled
def list_pairs(n_ends: int, pairs: IntArray) -> int:
    """List all pairs of the largest blocks; return how many."""
    n_blocks = (n_ends >> LEVELS) + 1
    for stop in range(n_blocks):
        for start in range(stop):
            pairs[stop * (stop - 1) // 2 + start] = start | stop << HALF
    return n_blocks * (n_blocks - 1) // 2


@compiled
def halve(pair: int, level: int, n_ends: int, halves: IntArray, n: int) -> int:
    """List the pairs of halves of a pair of blocks from the n-th on; return how many these are.

    Four are written even where there are two: that is faster than to decide.
    """
    both, stop = 2 * pair, pair >> HALF
    halves[n], halves[n + 1] = both, both + 1
    halves[n + 2], halves[n + 3] = both + (1 << HALF), both + 1 + (1 << HALF)
    return 4 if (2 * stop + 1) << (level - 1) <= n_ends else 2


@compiled
def list_neighbours(level: int, n_ends: int, halves: IntArray, n: int) -> int:
    """List the pairs of halves of one block, from the n-th on; return how many there are then."""
    for stop in range(1, (n_ends >> (level - 1)) + 1 if level > 0 else 0, 2):
        halves[n] = (stop - 1) | stop << HALF
        n += 1
    return n
