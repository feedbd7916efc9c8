"""Files of arrays that are damaged, or say what they do not hold: readers say so, and name the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coffea_ddp.cli.arrays import read_matrix
from coffea_ddp.errors import DDPError, FileError
from coffea_ddp.scanning.corrections import EfficiencyRatio, efficiency_ratio
from coffea_ddp.stats.bumphunt import finder


def array_file(shape: str, content: bytes = b"") -> bytes:
    """Return a .npy file whose header says a shape, whatever its content is."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def ratio(path: str) -> EfficiencyRatio:
    import hist

    return efficiency_ratio(path, (hist.axis.Regular(4, 0, 1, name="x"),))


READERS: dict[str, Callable[[str], Any]] = {"matrix": read_matrix, "ratio": ratio, "network": finder.load}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("shape", ["(1000000000000,)", "(4294967296, 4294967296)", "(-1,)", "(100,)"])
def test_a_header_that_says_more_than_there_is(tmp_path: Path, name: str, shape: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(array_file(shape, bytes(16)))
    with pytest.raises(FileError, match=r"a\.npy"):
        READERS[name](str(path))


def test_a_network_is_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is a pipe, not a file"):
        finder.load(tmp_path / "pipe")


@pytest.mark.parametrize("name", READERS)
def test_damaged_archives(tmp_path: Path, name: str) -> None:
    """Bytes are flipped, or the end is cut off: a clean error, or numbers."""
    whole, path = tmp_path / "whole.npz", tmp_path / f"{name}.npz"
    np.savez_compressed(whole, ratio=np.linspace(0.5, 1.5, 4), error=np.full(4, 0.1), about=np.arange(9, dtype="u1"))
    content, rng = whole.read_bytes(), np.random.default_rng(17)
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged[: rng.integers(1, len(content)) if rng.random() < 0.3 else None])
        try:
            READERS[name](str(path))
        except DDPError as error:
            assert path.name in str(error)  # noqa: PT017
