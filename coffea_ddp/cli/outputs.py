"""The outputs of all commands: declared by their kind, and checked before the work.

A command is made with ``cls=Command``, an option that names a file to write has the type :class:`OutputFile`. Before
the command runs, no output may be an input, another output, or anything that it must not replace. The same is asked
again when it is written (:mod:`coffea_ddp._files`). Where an output cannot be written any more when the work is done,
it is kept in another place: see :func:`delivering`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from coffea_ddp._files import TEXTS, Ours, check_output
from coffea_ddp.cli.telling import common_options, is_json, said
from coffea_ddp.cli.terminal import note
from coffea_ddp.errors import FileError

STDOUT = "-"


class OutputFile(click.Path):
    """The type of an option that names a file to write.

    Parameters
    ----------
    kind
        Of the file, one of :mod:`coffea_ddp._files`. Those that are texts may go to standard output, ``-``.
    ours
        Tells of an older file whose beginning does not say it whether it is of this kind.
    """

    def __init__(self, kind: str, ours: Ours | None = None) -> None:
        super().__init__(allow_dash=True)
        self.kind, self.ours = kind, ours

    def check(self, path: str) -> None:
        """Fail where such a file cannot be written.

        Raises
        ------
        FileError
            With what is there, and what to do.
        """
        if path.endswith(os.sep):
            raise FileError(f"{path}: the name of a folder; give a file")
        if path != STDOUT:
            check_output(path, self.kind, self.ours)
        elif self.kind not in TEXTS:
            raise FileError(f"-: {self.kind} is no text for standard output; give a file (./- has that name)")


class OutputFolder(click.Path):
    """The type of an option that names a folder to write; what writes it checks what is there before the work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder's name; ``-`` is none.

        Raises
        ------
        FileError
            If it is ``-``.
        """
        if value == STDOUT:
            raise FileError("-: a folder cannot go to standard output; give a folder (./- has that name)")
        return super().convert(value, param, ctx)


class Command(click.Command):
    """A command whose outputs are checked before it runs, with the options that all commands have."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Check the outputs, then run."""
        self._check(ctx.params)
        return super().invoke(ctx)

    def _check(self, given: dict[str, Any]) -> None:
        outputs: list[str] = []
        inputs = list(self._inputs(given))
        for option in self.params:
            path = given.get(option.name or "")
            if not isinstance(option.type, OutputFile) or path is None:
                continue
            if any(_same(path, one) for one in inputs):
                raise FileError(f"{path}: this command reads it, and it would be lost; choose another output file")
            option.type.check(path)
            if any(_same(path, other) for other in outputs):
                raise FileError(f"{path}: is the place of two outputs; give each its own")
            outputs.append(path)

    def _inputs(self, given: dict[str, Any]) -> Iterator[str]:
        """Yield what the command reads: its arguments, and the options that name files."""
        for option in self.params:
            named = isinstance(option, click.Argument) or isinstance(option.type, click.Path)
            if named and not isinstance(option.type, OutputFile | OutputFolder):
                value = given.get(option.name or "")
                yield from (value,) if isinstance(value, str) else value or ()


def _same(first: str, second: str) -> bool:
    """Return True where two paths are one file, or would be."""
    try:
        return Path(first).samefile(second)
    except (OSError, ValueError):  # at most one is there
        return Path(first).absolute() == Path(second).absolute()


Save = Callable[[str], object]


@contextmanager
def delivering() -> Iterator[Callable[..., None]]:
    """Yield a function of a path (``None``: no output), what saves it there, and words for what is written.

    It writes on standard output if the path is ``-``. A file that cannot be written, since its folder can only be read
    by now, is full or gone, is kept in another place, and what else there is to write and to show comes first.

    Raises
    ------
    FileError
        In the end, with what could not be written and where it is.
    """
    problems: list[str] = []

    def deliver(path: str | None, save: Save, what: str = "") -> None:
        if path == STDOUT:
            said()
            _to_stdout(save)
        elif path is not None:
            try:
                save(path)
            except FileError as error:
                problems.append(f"{error}. {_kept_elsewhere(path, save)}")
            else:
                note(f"wrote {what}{path}")

    yield deliver
    if problems:
        raise FileError("; ".join(problems))


def _kept_elsewhere(path: str, save: Save) -> str:
    """Save in a new folder what has no place any more, and log its path."""
    for choose in (Path.cwd, Path.home, lambda: Path(tempfile.gettempdir())):
        try:
            folder = Path(tempfile.mkdtemp(prefix="coffea-ddp-kept-", dir=choose()))
        except (OSError, RuntimeError):  # it is not there, or there is none
            continue
        try:
            save(str(folder / Path(path).name))
        except FileError:
            folder.rmdir()
        else:
            return f"The finished work is kept in {folder / Path(path).name}"
    return (
        "There is no room for it in the working directory, at home or among temporary files either: make some, and run "
        "the command again (`coffea-ddp run` with --resume, which takes the chunks that were finished)"
    )


def _to_stdout(save: Save) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "output"))
        save(file)
        sys.stdout.write(Path(file).read_text(encoding="utf-8"))
        sys.stdout.flush()


def to_stdout(*paths: str | None) -> bool:
    """Return True where a result goes to standard output, on which nothing else is shown then."""
    return STDOUT in paths or is_json()


def check_files(paths: Sequence[str], kind: str) -> None:
    """Fail where one of several outputs of a kind cannot be written, or two would be one file.

    Raises
    ------
    FileError
        With what is wrong.
    """
    for number, path in enumerate(paths):
        check_output(path, kind)
        if path in paths[:number]:
            raise FileError(f"{path}: is the place of two outputs; give them names that differ in more than signs")
