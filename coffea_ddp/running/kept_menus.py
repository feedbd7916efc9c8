"""Trigger menus of files, kept beside the finished chunks of a run.

uproot takes seconds to read the menu of a file of ATLAS, in every process. Where a run keeps its chunks, the first one
that reads it writes it there, by the file's uuid: other workers, and a run that is resumed, read that. It is JSON, with
a checksum. What is damaged, or of another file, is made again; a file of somebody else is left as it is.

Examples
--------
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     place = Place(Path(folder) / "5c", "5c")
...     place.save(Menu({7: {"HLT_mu26_ivarmedium": 33}}))
...     found = place.load()
>>> found.menu.counters
{7: {'HLT_mu26_ivarmedium': 33}}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from coffea_ddp._files import MENU, write_text
from coffea_ddp.errors import FileError
from coffea_ddp.events.dialects.menu import Menu

FORMAT, NAME = "coffea-ddp/menu", "menu.json"
_MOST = 64 << 20
"""Bytes of a file that is read; menus have 1 MB or less."""


class Kept(NamedTuple):
    """A menu that was kept; ``None`` of a file that has none."""

    menu: Menu | None


@dataclass(frozen=True)
class Place:
    """The place of the menu of one file.

    Attributes
    ----------
    folder
        Of the finished chunks of the file.
    uuid
        Of the file.
    """

    folder: Path
    uuid: str

    @property
    def taken(self) -> bool:
        """True where anything has the name of the menu, or cannot be asked for."""
        try:
            return (self.folder / NAME).exists()
        except OSError:
            return True

    def load(self) -> Kept | None:
        """Return the menu that is kept; ``None`` if there is none, or it is damaged or of another file."""
        path = self.folder / NAME
        try:
            if not path.is_file() or path.stat().st_size > _MOST:
                return None
            told = json.loads(path.read_bytes())
            if (told["format"], told["uuid"]) != (FORMAT, self.uuid) or told["sha256"] != _digest(told["menus"]):
                return None
            return Kept(None if told["menus"] is None else Menu(_counters(told["menus"])))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def save(self, menu: Menu | None) -> None:
        """Keep a menu, whole or not at all; where that cannot be done the next process reads the file."""
        menus = None if menu is None else {str(key): dict(chains) for key, chains in menu.counters.items()}
        told = {"format": FORMAT, "uuid": self.uuid, "sha256": _digest(menus), "menus": menus}
        with contextlib.suppress(FileError, OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / NAME, json.dumps(told), MENU)


def _digest(menus: Any) -> str:
    return hashlib.sha256(json.dumps(menus, sort_keys=True).encode()).hexdigest()


def _counters(menus: dict[str, dict[str, int]]) -> dict[int, dict[str, int]]:
    return {int(key): {str(name): int(number) for name, number in chains.items()} for key, chains in menus.items()}


_PLACE: ContextVar[Place | None] = ContextVar("place of the menu", default=None)


@contextmanager
def kept_in(folder: Path | None, uuid: str) -> Iterator[None]:
    """Have menus kept in a folder, while one file is read.

    Parameters
    ----------
    folder
        Of the finished chunks of the file; ``None`` keeps none.
    uuid
        Of the file; empty keeps none.
    """
    token = _PLACE.set(Place(folder, uuid) if folder is not None and uuid else None)
    try:
        yield
    finally:
        _PLACE.reset(token)


def place() -> Place | None:
    """Return where menus are kept at the moment; ``None``: nowhere."""
    return _PLACE.get()
