"""Formulas as MathML, made by docutils: browsers draw it themselves, so no page asks a server for a script."""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOG = logging.getLogger(__name__)
BIG = re.compile(r"\\[bB]ig{1,2}[lrm]?\s*(?P<what>\\[{}]|[\[\](){}|/])")
"""Delimiters of a chosen size: MathML makes them as large as what they hold."""


def sized(found: re.Match[str]) -> str:
    """Return a delimiter that docutils knows."""
    what = found["what"]
    if what in ("(", "[", r"\{"):
        return rf"\left{what}"
    return rf"\right{what}" if what in (")", "]", r"\}") else what


def mathml(node: nodes.Element, *, as_block: bool) -> str:
    """Return a formula as MathML; one that cannot be understood is a warning, and stays LaTeX."""
    text = node.astext()
    try:
        return str(tex2mathml(BIG.sub(sized, text), as_block=as_block))
    except MathError as error:
        LOG.warning("no MathML of %r: %s", text, error, location=node)
        return str(nodes.literal("", text))


def inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula within a line."""
    translator.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.Element) -> None:
    """Write a formula of its own."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula", tabindex="0"))
    translator.body.append(mathml(node, as_block=True))
    translator.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx of the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
