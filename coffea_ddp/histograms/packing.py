"""Tables of an output as Parquet, and the parts of them that can be read alone.

Examples
--------
>>> keys = np.arange(3)
>>> packed = parquet({"key": keys})
>>> [block[3:] for block in blocks(packed, keys)]
[[0, 2], [0, -1]]
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from coffea_ddp._typing import AnyArray, IntArray
    from coffea_ddp.histograms.sparse import SparseCounts

ROWS = 65_536
"""Keys in one row group: the least that is read of the counts."""


def counts_columns(counts: SparseCounts) -> dict[str, AnyArray]:
    """Return counts as columns, those that there are."""
    return _present(
        key=counts.keys,
        count=counts.counts,
        sum_w=counts.sum_w,
        sum_w2=counts.sum_w2,
        sum_e=counts.sum_e,
        sum_v=counts.sum_v,
    )


def _present(**columns: AnyArray | None) -> dict[str, AnyArray]:
    return {name: values for name, values in columns.items() if values is not None}


def parquet(columns: Mapping[str, AnyArray]) -> memoryview:
    """Return columns as the bytes of a Parquet file."""
    stream = pa.BufferOutputStream()
    table = pa.table({name: _column(values) for name, values in columns.items()})
    pq.write_table(table, stream, compression="zstd", row_group_size=ROWS)
    return memoryview(stream.getvalue())


def _column(values: AnyArray) -> pa.Array:
    """Return numbers as a column; `pyarrow.array` would load pandas to see whether they are its own."""
    if values.dtype == bool or not values.dtype.isnative:
        return pa.array(values)
    kept = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, kept])


def blocks(packed: memoryview, keys: IntArray) -> list[list[int]]:
    """Return the parts of the counts' file: of every group of rows, then the footer.

    Each is its beginning, its end, its checksum, its first and its last key (0 and -1 of the footer). Who reads a part
    of the file knows by them what is in it, and that it is what was written; the archive's checksum is of the whole.
    """
    metadata = pq.read_metadata(pa.BufferReader(packed))
    ends = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = [group.column(column) for column in range(group.num_columns)]
        starts = [(one.dictionary_page_offset or one.data_page_offset) for one in chunks]
        ends.append(max(start + one.total_compressed_size for start, one in zip(starts, chunks, strict=True)))
    parts = np.split(keys, range(ROWS, len(keys), ROWS))[: len(ends)]
    spans = [(int(part[0]), int(part[-1])) if len(part) else (0, -1) for part in parts]
    edges = itertools.pairwise([0, *ends, len(packed)])
    return [
        [start, stop, zlib.crc32(packed[start:stop]), *span]
        for (start, stop), span in zip(edges, [*spans, (0, -1)], strict=True)
    ]
