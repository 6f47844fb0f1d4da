"""Formulas as MathML, which browsers draw without a script, so that the pages need no network."""

import re
from itertools import cycle

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

BAR = re.compile(r"<mo[^>]*>&#x0007C;</mo>")


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own."""
    formulas = [part for part in node.astext().split("\n\n") if part.strip()]
    self.body.append('<div class="formula">')
    self.body.extend(mathml(" ".join(part.split()), "block") for part in formulas)
    self.body.append("</div>")
    raise nodes.SkipNode


def mathml(latex: str, display: str) -> str:
    """Convert a formula. Bars are those of norms, in pairs, and have no space inside."""
    forms = cycle(("prefix", "postfix"))
    return BAR.sub(lambda _: f'<mo form="{next(forms)}" stretchy="false">|</mo>', convert(latex, display=display))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
