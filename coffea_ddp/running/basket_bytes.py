"""A basket of a TTree out of its bytes: the values of some entries of one branch, and where each entry's begin.

What uproot's model of a basket has besides, a chunk of many small baskets would pay for each. Decompression is that of
uproot, but for what one call of Arrow's zstd does: its stream takes a tenth longer.

Examples
--------
>>> import tempfile
>>> import uproot
>>> from coffea_ddp.testing import make_nanoaod
>>> with tempfile.TemporaryDirectory() as folder:
...     with uproot.open(make_nanoaod(f"{folder}/nano.root", events=500, seed=1)) as file:
...         ((_, (start, stop)),) = file["Events"]["MET_pt"].entries_to_ranges_or_baskets(0, 500)
...         basket = basket_of(file.file.source.chunk(int(start), int(stop)))
>>> len(basket.data), basket.byte_offsets, basket.num_entries
(2000, None, 500)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import uproot

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray

_KEY = struct.Struct(">ihiIhh")
"""Number of bytes, version, number of bytes when decompressed, date, bytes of the head, cycle: a TKey begins."""
_BASKET = struct.Struct(">HiiiiB")
"""Version, two sizes, number of entries, end of the values, a flag: the head of a basket ends."""
_BLOCK = 9
"""Bytes before a compressed block."""


@dataclass(frozen=True, eq=False)
class Basket:
    """Part of a branch.

    Attributes
    ----------
    data
        Bytes of the values, as they are stored.
    byte_offsets
        Where each entry's begin in these, and the last one's end; ``None`` where all entries take the same.
    num_entries
        Number of entries.
    """

    data: AnyArray
    byte_offsets: AnyArray | None
    num_entries: int


def basket_of(chunk: Any) -> Basket:
    """Return the basket that uproot's chunk of a file's bytes is.

    Raises
    ------
    ValueError
        If its head contradicts itself, or blocks are not there.
    Exception
        uproot's own, and those of what decompresses, if it cannot be read.
    """
    raw = chunk.get(chunk.start, chunk.stop, uproot.source.cursor.Cursor(chunk.start), {})
    n_bytes, _, size, _, head, _ = _KEY.unpack_from(raw)
    if not _KEY.size + _BASKET.size <= head < n_bytes <= len(raw):
        raise ValueError(f"a basket of {n_bytes} bytes, {head} of them its head, in {len(raw)} bytes")
    *_, n_entries, end, _ = _BASKET.unpack_from(raw, head - _BASKET.size)
    end -= head
    data = _whole(chunk, raw[head:n_bytes], head, size)
    if not 0 <= end <= size == len(data):
        raise ValueError(f"values that end at {end} of {size} bytes, {len(data)} of them there")
    if end == size:
        return Basket(data, None, n_entries)
    # A number of offsets, and these, counted from the begin of the head; the last one is not used.
    offsets = data[end:].view(">i4")[1:] - np.int32(head)
    offsets[-1] = end
    return Basket(data[:end], offsets, n_entries)


def _whole(chunk: Any, stored: AnyArray, head: int, size: int) -> AnyArray:
    """Return what is stored, decompressed."""
    if len(stored) == size:
        return stored
    one = bytes(stored[:_BLOCK])
    sizes = int.from_bytes(one[3:6], "little") + _BLOCK, int.from_bytes(one[6:9], "little")
    if one[:2] == b"ZS" and sizes == (len(stored), size):
        return np.frombuffer(_zstd().decompress(stored[_BLOCK:], size, asbytes=True), np.uint8)
    cursor = uproot.source.cursor.Cursor(chunk.start + head)
    blocks: list[tuple[str, int, int]] = []  # kind, number of bytes, number when decompressed
    found = uproot.compression.decompress(chunk, cursor, {}, len(stored), size, blocks).raw_data
    there = sum(uncompressed for _, _, uncompressed in blocks)
    if there != size:  # what uproot returns then is memory that nobody has written to
        raise ValueError(f"a basket has {there} of {size} bytes")
    return np.asarray(found)


@cache
def _zstd() -> Any:
    import pyarrow as pa

    return pa.Codec("zstd")
