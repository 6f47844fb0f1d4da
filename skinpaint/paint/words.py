"""What a window says: sentences of the library without the parameters of Python, which are not to be seen there."""

from __future__ import annotations

__all__ = ["in_a_window"]

WORDS = {
    "The 'image' parameter must": "The picture must",
    "Got an image of which everything is missing.": "Everything is painted over.",
    "The 'spacing' parameter of Inpainter": "The distance between pixels",
    "Pass spacing=1 to take pixels for as high as they are wide, or another": "Choose another",
}


def in_a_window(error: object) -> str:
    """The sentence of an error of the library, in the words of a page or a dock widget.

    Examples
    --------
    >>> in_a_window(ValueError("The 'image' parameter must be finite where it is known."))
    'The picture must be finite where it is known.'
    """
    text = str(error)
    for passed, shown in WORDS.items():
        text = text.replace(passed, shown)
    return text
