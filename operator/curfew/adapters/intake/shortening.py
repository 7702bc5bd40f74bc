"""Cutting very long strings out of JSON while it streams by.

Whoever can send a request, without any rights, can make an event of 25 MiB: an address of one MiB is in it up to four times,
each byte as six. Hundreds of events come in one body or share a file with it, and none of them may be lost for that. All that
is needed of such a string is how it begins, and that no other one is taken for it.
"""

import hashlib
import re
from typing import Any, Final

LONGEST: Final = 64 * 1024
"""Bytes of a string, as JSON writes it, that are kept. No field is used beyond that."""

_DIGITS: Final = 32

_INSIDE: Final = re.compile(rb'(?:[^"\\\n]++|\\[^\n])*+')
_WHOLE: Final = re.compile(rb"(?:[^\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+")
_HALF_A_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


class StringShortener:
    """Shortens the strings of one document, or of lines that are one each."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._rest = b""  # half an escape
        self._is_inside = False
        self._string = bytearray()  # what came of the string, until it is too long
        self._left_out: Any = None  # the digest of the rest of a string that is too long

    def feed(self, data: bytes) -> bytes:
        """Return what is left of what is complete. A string is complete at its end."""
        data, self._rest = self._rest + data, b""
        out: list[bytes] = []
        at = 0
        while at < len(data):
            at = self._inside(data, at, out) if self._is_inside else self._outside(data, at, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Return what is left of a string that has no end: nothing comes any more."""
        out: list[bytes] = []
        if self._is_inside:
            self._close(out)
        rest, self._rest = self._rest, b""
        return b"".join(out) + rest

    def _outside(self, data: bytes, begin: int, out: list[bytes]) -> int:
        quote = data.find(b'"', begin)
        self._is_inside = quote >= 0
        end = quote + 1 if self._is_inside else len(data)
        out.append(data[begin:end])
        return end

    def _inside(self, data: bytes, begin: int, out: list[bytes]) -> int:
        found = _INSIDE.match(data, begin)
        end = found.end() if found is not None else begin
        self._take(data[begin:end], out)
        if data[end : end + 1] == b"\\":
            if end + 1 == len(data):
                self._rest = b"\\"
            else:
                self._take(b"\\", out)
        elif end < len(data):
            # A quote; or a line end, which JSON does not have in strings: what comes after rubbish begins anew.
            self._close(out)
            out.append(data[end : end + 1])
        return end + 1

    def _take(self, piece: bytes, out: list[bytes]) -> None:
        if self._left_out is not None:
            self._left_out.update(piece)
            return
        self._string += piece
        if len(self._string) > LONGEST:
            kept = _without_half(bytes(self._string[:LONGEST]))
            out.append(kept)
            self._left_out = hashlib.sha256(self._string[len(kept) :])
            self._string.clear()

    def _close(self, out: list[bytes]) -> None:
        if self._left_out is None:
            out.append(bytes(self._string))
        else:
            out.append(b"~" + self._left_out.hexdigest()[:_DIGITS].encode())
        self._string.clear()
        self._is_inside, self._left_out = False, None


def _without_half(text: bytes) -> bytes:
    """Return the beginning of a string without half an escape, half a pair of them, or half a character at its end."""
    whole = _WHOLE.match(text)
    text = _HALF_A_PAIR.sub(b"", text[: whole.end()] if whole is not None else b"")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        if error.end == len(text):
            return text[: error.start]
    return text
