r"""Text that may hold anything, made fit to be shown.

Names come from files, and files from strangers: what would move a terminal's cursor, hide text, or look like another
line is spelled out. All that is printed goes through here.

Examples
--------
>>> printable("a\x1b[31m"), printable("a\r\nb"), printable("a\nb", lines=True)
('a\\x1b[31m', 'a\\r\\nb', 'a\nb')
>>> printable("\u202egnp.exe"), printable("\udcff"), printable("μμ → e")
('\\u202egnp.exe', '\\udcff', 'μμ → e')
"""

from __future__ import annotations


def printable(text: str, *, lines: bool = False) -> str:
    """Return the text with all that is no visible character (terminal escapes among them) spelled out.

    Parameters
    ----------
    text
        Of any origin.
    lines
        Whether it may have several lines.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or (lines and c == "\n") else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
