"""Text from outside as one line that shows all of itself: nothing in it moves, hides or ends a line."""

import unicodedata
from typing import Final

from curfew.api.characters import BLANK, CONTROL, IGNORABLE

MOST_CHARACTERS: Final = 500
"""Most characters of one value in a message. The record has the whole of it."""

INSTEAD: Final = "\N{REPLACEMENT CHARACTER}"

_UNSEEN: Final = {
    point: INSTEAD for table in (CONTROL, IGNORABLE, BLANK) for first, last in table for point in range(first, last + 1)
} | dict.fromkeys((0x09, 0x0A, 0x0D, 0x85, 0x2028, 0x2029), " ")


def line(text: object, most: int = MOST_CHARACTERS) -> str:
    """Return a value as one line of at most `most` characters. What cannot be seen is shown as a replacement character."""
    shown = str(text)[: 4 * most].translate(_UNSEEN)
    # Lone surrogates and unassigned characters: no encoder and no font can be trusted with them.
    shown = "".join(INSTEAD if unicodedata.category(char) in ("Cs", "Cn", "Co") else char for char in shown)
    return cut(" ".join(shown.split()), most)


def cut(text: str, most: int) -> str:
    """Return at most `most` characters of a text, with an ellipsis if it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
