"""Canonical JSON: equal values have equal bytes, and the bytes are the evidence (RFC 8785).

Numbers are whole and fit a double exactly. That excludes the numbers on which JSON readers disagree: fractions, and
large numbers.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import orjson
import rfc8785

MAX_WHOLE = 2**53 - 1
"""The largest whole number that every JSON reader reads exactly (RFC 8785, section 3.2.2.3)."""

_TOGETHER = 8  # lines that are parsed together: few enough to fit into the processor's cache

_AS_THE_RFC = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class NotCanonical(ValueError):
    """A value that has no canonical form, or bytes that are not in it. `str(error)` completes "it ..."."""


def canonical(value: Any) -> bytes:
    """Return a JSON value's canonical bytes. Raise `NotCanonical` for fractions, and for values that JSON lacks."""
    try:
        line = orjson.dumps(value, option=_AS_THE_RFC)
    except orjson.JSONEncodeError:
        return _slowly(value)
    return line if _is_plain(value) else _slowly(value)


def _slowly(value: Any) -> bytes:
    try:
        line: bytes = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise NotCanonical(f"has no canonical form: {error}") from error
    _is_plain(value)  # refuses fractions
    return line


def parse_canonical(line: bytes) -> Any:
    """Return the JSON value of bytes that are in canonical form, or raise `NotCanonical`."""
    if line.startswith(b"{") and _is_plain_text(line):
        try:
            value = orjson.loads(line)
            if orjson.dumps(value, option=_AS_THE_RFC) == line:
                return value
        except (ValueError, TypeError):  # the slow parser knows the reason
            pass
    return parse_carefully(line)


def parse_all(lines: Sequence[bytes]) -> Iterator[Any]:
    """Yield the result of `parse_canonical` for each line, but faster; raise `NotCanonical` at the first bad line."""
    for start in range(0, len(lines), _TOGETHER):
        some = lines[start : start + _TOGETHER]
        values = _parse_together(some)
        yield from map(parse_canonical, some) if values is None else values


def _parse_together(lines: Sequence[bytes]) -> list[Any] | None:
    """Return the values of lines that are all in canonical form, or None if this quick check cannot show that."""
    together = b"[" + b",".join(lines) + b"]"
    if all(line.startswith(b"{") for line in lines) and _is_plain_text(together):
        try:
            values = [orjson.loads(line) for line in lines]
            # Each line is one whole object. So if writing all of them together gives the same bytes, each line is
            # canonical.
            if orjson.dumps(values, option=_AS_THE_RFC) == together:
                return values
        except (ValueError, TypeError):  # the check of each single line knows the reason
            pass
    return None


def parse_carefully(line: bytes) -> Any:
    """Do the same as `parse_canonical`, exactly by the RFC and many times slower."""
    try:
        text = line.decode()
        value = _DECODER.decode(text)
        written = _ENCODER.encode(value)
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"is not JSON: {error}") from error
    # If the fast encoder writes the same text again, the keys of the value are those in the text. If all of them are in
    # the basic plane, the encoder has put them in the right order.
    is_basic = text.isascii() or max(text) < "\U00010000"
    if written == text if is_basic else canonical(value) == line:
        return value
    raise NotCanonical("is JSON, but not in canonical form")


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical bytes, in hex. Raise `NotCanonical` as `canonical` does."""
    return hashlib.sha256(canonical(value)).hexdigest()


# The standard library's encoder differs from RFC 8785 in three things only: how fractions are written, whole numbers
# that do not fit a double (the RFC has no form for them), and the order of keys, which is by code point instead of
# UTF-16 unit: the same order within the basic plane.
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True, check_circular=False
)


# orjson is written in Rust and many times as fast as rfc8785. Of the values that JSON has, it writes two differently
# from RFC 8785: fractions, which are refused here, and the order of keys, as above. It also writes values that JSON
# does not have, for example times. If one of these can occur, rfc8785 does the work. tests/property/test_record.py
# checks that the two agree.
def _is_plain(value: Any) -> bool:
    """Whether orjson and RFC 8785 agree on a value that one of them has written. Raise `NotCanonical` for fractions."""
    agreed = True
    rest = [value]
    for part in rest:  # the list grows during the loop
        kind = type(part)
        if kind is str or kind is int or kind is bool or part is None:
            continue
        if kind is dict:
            for key in part:
                agreed = agreed and type(key) is str and key.isascii()
            rest += part.values()
        elif kind is list or kind is tuple:
            rest += part
        elif isinstance(part, float):
            raise NotCanonical(f"has no canonical form: {part} is not a whole number")
        else:
            agreed = False
    return agreed


def _fraction(text: str) -> NoReturn:
    raise NotCanonical(f"holds a number that is not whole: {text[:40]}")


def _whole(text: str) -> int:
    number = int(text) if len(text) <= 17 else MAX_WHOLE + 1  # 2**53 has 16 digits, and there may be a sign
    if not -MAX_WHOLE <= number <= MAX_WHOLE:
        raise NotCanonical(f"holds a number that not every reader reads exactly: {text[:40]}")
    return number


def _is_plain_text(line: bytes) -> bool:
    """Whether orjson agrees with RFC 8785 about a text, if orjson writes the same text again.

    Two things could differ. There may be fractions: if all idle bytes are left out, including digits, the point of a
    number (or the sign of its exponent, or its own) comes directly after the colon of a key, a bracket or a comma. And
    keys outside the basic plane have another order. Text that only looks like one of these costs time, and nothing
    else.
    """
    bones = line.translate(_BONES, _FLESH)
    if b'":.' in bones or b",." in bones:
        return False
    return b"\0" not in bones or (b"\\" not in line and _ASTRAL_KEY.search(line) is None)


_BONES = bytes.maketrans(b"+-[" + bytes(range(0xF0, 0xF8)), b"..," + bytes(8))
_FLESH = bytes(set(range(0xF0)) - set(b'":,[.+- '))  # spaces tell a comma in a sentence from one between values
_ASTRAL_KEY = re.compile(rb'[\xf0-\xf7][^"]*":')

_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_whole, parse_constant=_fraction)
