"""Parts of the data by a hash of every event: one to search in, the other to confirm what was found there.

An event is in part a or in part b whatever file, chunk or dataset it is read from, so that the two parts have no event
in common, and each is a fair sample of all. General searches use the first part to choose regions and the second to
test these few (arXiv:1807.07447).

Examples
--------
>>> first = EventSplit("a", share=0.2)
>>> str(first), str(first.other), str(EventSplit("a"))
('part a (20 % of the events)', 'part b (80 % of the events)', 'half a')
>>> hashes = np.random.default_rng(1).integers(2**64, size=10_000, dtype=np.uint64)
>>> int(first.holds(hashes).sum()), int(first.other.holds(hashes).sum())
(1943, 8057)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp._splitmix import mixed
from coffea_ddp.errors import FormatError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray

PARTS = ("a", "b")

_SALT = np.uint64(int.from_bytes(hashlib.sha256(b"coffea-ddp/split").digest()[:8], "little"))
"""The hash is another one than that by which events are stored, and by which labels are drawn."""


@dataclass(frozen=True)
class EventSplit:
    """One of two parts of the events.

    Attributes
    ----------
    part
        ``"a"`` or ``"b"``.
    share
        Of all events that are in part a, above 0 and below 1.

    Raises
    ------
    InputError
        If they are something else.
    """

    part: str
    share: float = 0.5

    def __post_init__(self) -> None:
        """Check the part and the share."""
        if self.part not in PARTS:
            raise InputError(f"half={self.part!r}: the parts are 'a' and 'b'")
        try:
            inside = not isinstance(self.share, bool) and 0.0 < float(self.share) < 1.0
        except (TypeError, ValueError):
            inside = False
        if not inside:
            raise InputError(f"share={self.share!r}: give the share of the events in part a, above 0 and below 1")

    def __str__(self) -> str:
        """Return the part in words."""
        if self.share == 0.5:
            return f"half {self.part}"
        mine = self.share if self.part == "a" else 1.0 - self.share
        return f"part {self.part} ({100 * mine:.4g} % of the events)"

    @property
    def other(self) -> EventSplit:
        """The other part of the same split."""
        return EventSplit("b" if self.part == "a" else "a", self.share)

    def holds(self, hashes: NDArray[np.uint64]) -> BoolArray:
        """Return which events are in the part, by their :func:`~coffea_ddp.histograms.stored.identity_hash`.

        Shapes (n_events,).
        """
        in_a = (mixed(hashes ^ _SALT) >> np.uint64(11)).astype(
            np.float64
        ) < self.share * 2.0**53  # 53 bits: exact in a double
        return np.asarray(in_a if self.part == "a" else ~in_a)

    def to_dict(self) -> dict[str, Any]:
        """Return the part as JSON-ready data."""
        return {"part": self.part, "share": self.share}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> EventSplit | None:
        """Return the part that :meth:`to_dict` described; ``None`` of ``None``: all events.

        Raises
        ------
        FormatError
            If it describes nothing of the kind.
        """
        try:
            return None if data is None else cls(str(data["part"]), float(data["share"]))
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"the part of the events is not told ({type(error).__name__}: {error})") from None
