"""Which characters people can see and tell apart: one rule for the names of people, and one for their free text.

The tables are ranges of the Unicode Character Database, version 16. The regular expressions are in RE2 syntax, which
the API server uses.
"""

import functools
import unicodedata
from typing import Final

Ranges = tuple[tuple[int, int], ...]

LONGEST_NAME: Final = 512
"""Most characters of a user name: names of service accounts have up to 339, and other names come from elsewhere."""

JOINERS: Final[Ranges] = ((0x200C, 0x200D), (0xFE00, 0xFE0F))
"""Zero width (non-)joiner and variation selectors: invisible by themselves, but emoji and some scripts need them."""

IGNORABLE: Final[Ranges] = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200B),
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Default_Ignorable_Code_Point (DerivedCoreProperties.txt) without the joiners: invisible, or they turn text around."""

BLANK: Final[Ranges] = ((0x2028, 0x2029), (0x2800, 0x2800), (0xFFF9, 0xFFFB), (0x1D159, 0x1D159))
"""Line and paragraph separators (Zl, Zp), annotation marks (Cf), and two symbols that look like a space."""

CONTROL: Final[Ranges] = ((0x00, 0x1F), (0x7F, 0x9F))
"""General category Cc. Some erase or overwrite the text before them on the terminal of the person who decides."""

CONTROL_IN_LINES: Final[Ranges] = ((0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F))
"""The same without tab and line feed."""

_ACCENTS: Final[Ranges] = (
    (0x300, 0x304),
    (0x306, 0x30C),
    (0x30F, 0x30F),
    (0x311, 0x311),
    (0x31B, 0x31B),
    (0x323, 0x328),
    (0x32D, 0x32E),
    (0x330, 0x331),
)
"""Combining marks that make one character with a letter from a to z (UnicodeData.txt, canonical decompositions)."""

_REPLACED: Final[Ranges] = (
    (0x340, 0x341),
    (0x343, 0x344),
    (0x374, 0x374),
    (0x37E, 0x37E),
    (0x387, 0x387),
    (0x2126, 0x2126),
    (0x212A, 0x212B),
    (0x2329, 0x232A),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Characters that normal form C replaces by others that look the same, for example the Kelvin sign by K."""


def characters(*tables: Ranges) -> str:
    """Return the content of the brackets of an RE2 character class."""
    return "".join(
        rf"\x{{{first:x}}}" if first == last else rf"\x{{{first:x}}}-\x{{{last:x}}}"
        for table in tables
        for first, last in table
    )


VISIBLE: Final = r"[\pL\pN\pP\pS\p{Mc}]"
"""Matches each character that is visible by itself, in a text without any of the characters that `words` refuses."""

NAME: Final = r"^[\pL\pM\pN\pP\pS]+( [\pL\pM\pN\pP\pS]+)*$"
"""Matches a name of assigned characters, with single spaces between them."""

UNSEEN_IN_NAMES: Final = f"[{characters(IGNORABLE, JOINERS, BLANK)}]"
NOT_COMPOSED: Final = f"[A-Za-z][{characters(_ACCENTS)}]|[{characters(_REPLACED)}]"
UNSEEN_IN_WORDS: Final = f"[{characters(CONTROL_IN_LINES, IGNORABLE, BLANK)}]"
UNSEEN_IN_A_LINE: Final = f"[{characters(CONTROL, IGNORABLE, BLANK)}]"


def visible(text: str) -> int:
    """Return how many characters of a text are visible. A space counts only if it is between visible characters."""
    seen = "".join(char if _is_seen(char) else " " for char in text if char.isspace() or _is_seen(char))
    return len(" ".join(seen.split()))


@functools.lru_cache(maxsize=1024)  # a text has few different characters
def _is_seen(char: str) -> bool:
    category, point = unicodedata.category(char), ord(char)
    is_unseen = any(first <= point <= last for table in (IGNORABLE, BLANK) for first, last in table)
    return (category[0] in "LNPS" or category == "Mc") and not is_unseen


def person(name: str) -> str:
    """Return the same text for all spellings of one name: letter case and the form of accents make no difference.

    Only for counting people and keeping them apart. RBAC is asked about the name as it is written.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
