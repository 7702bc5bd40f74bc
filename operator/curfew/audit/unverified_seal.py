"""The statements of a segment about itself. They prove nothing: they show which key might open the segment."""

from contextlib import suppress
from datetime import date
from typing import Any

from curfew.audit.checkpoint import NoteRefused, decode_base64
from curfew.audit.segment import MAX_STORED, TRAILER_BYTES, parse_seal, unpack


def checkpoint_in(stored: bytes) -> str:
    """Return the signed note in a segment's seal, unchanged and unchecked, or raise `ValueError`."""
    checkpoint: str = _seal_in(stored)["checkpoint"]
    return checkpoint


def _seal_in(stored: bytes) -> dict[str, Any]:
    if len(stored) > MAX_STORED:
        raise ValueError("is larger than any segment")
    return parse_seal(unpack(stored[:-TRAILER_BYTES])[:-1].rsplit(b"\n", 1)[-1])


def claimed_day(stored: bytes) -> date | None:
    """Return the day on which a segment claims that it was sealed, or None if it has no seal that can be read."""
    try:
        return date.fromisoformat(_seal_in(stored)["next_dt"])
    except ValueError:
        return None


def claimed_key(stored: bytes, name: str) -> bytes | None:
    """Return the hash of the key of that name with which a segment claims to be signed, or None if it claims none."""
    try:
        note = checkpoint_in(stored)
    except ValueError:
        return None
    for line in note.partition("\n\n")[2].splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[1] == name:
            with suppress(NoteRefused):
                return decode_base64(parts[2], "a signature")[:4]
    return None
