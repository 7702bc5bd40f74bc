"""Long strings are cut, and the JSON around them stays what it was."""

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.adapters.intake import shortening
from curfew.adapters.intake.shortening import StringShortener

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=12,
)


def shortened(data: bytes, places: Sequence[int] = ()) -> bytes:
    shortener = StringShortener()
    cuts = [0, *sorted(places), len(data)]
    return b"".join(shortener.feed(data[begin:end]) for begin, end in pairwise(cuts))


def alike(long: Any, short: Any, longest: int) -> bool:
    """Whether these differ only in strings that are long."""
    if isinstance(long, str):
        if long == short:
            return True
        kept, mark, digest = short.rpartition("~")
        return len(json.dumps(long)) > longest and mark == "~" and len(digest) == 32 and long.startswith(kept)
    if isinstance(long, list):
        return len(long) == len(short) and all(alike(one, two, longest) for one, two in zip(long, short, strict=True))
    if isinstance(long, dict):
        pairs = zip(long.items(), short.items(), strict=True)
        return all(alike(one[0], two[0], longest) and alike(one[1], two[1], longest) for one, two in pairs)
    return bool(long == short)


@given(json_values, st.booleans(), st.data())
def test_however_it_is_cut_only_long_strings_change(value: Any, ascii_only: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortening, "LONGEST", 20)
        short = shortened(text, places)
        assert short == shortened(text), "where it is cut does not matter"
    assert alike(orjson.loads(text), orjson.loads(short), 20)


def test_what_has_no_long_strings_stays_as_it_is() -> None:
    text = orjson.dumps({"items": [{"requestURI": "x" * 60_000, "name": 'a"b\\c\n'}] * 3}, option=orjson.OPT_INDENT_2)
    assert shortened(text) == text


def test_strings_that_differ_late_stay_different() -> None:
    one, other = (shortened(b'"' + b"x" * 100_000 + end + b'"') for end in (b"1", b"2"))
    assert len(one) == len(other) < 66_000
    assert one != other


@pytest.mark.parametrize("rubbish", [b'"', b'{"a', b'"\\', b'"\\u12', b"\\", b'"\\\\\\', b'"\xff\xfe'])
def test_what_comes_after_rubbish_is_as_it_was(rubbish: bytes) -> None:
    line = b'{"a":"%s"}\n' % (b"y" * 1000)
    short = shortened(rubbish + b"\n" + line * 3)
    assert short.endswith(b"\n" + line * 3)


@pytest.mark.parametrize("unit", [b"\\u0026", b'\\"', b"x", b"\\\\", b"\xc3\xa9", b"\\ud83d\\ude00"], ids=repr)
def test_it_keeps_up_with_whatever_a_caller_can_make(unit: bytes, record_property: Any) -> None:
    """While it works, nothing else does: so it may not take much longer than to read the text, which somebody has to do."""
    data = b'{"a":"' + unit * (6 * 2**20 // len(unit)) + b'"}'
    began = time.process_time()
    json.loads(data)
    floor = time.process_time() - began
    shortener = StringShortener()
    began, longest = time.process_time(), 0.0
    for at in range(0, len(data), 65536):
        step = time.process_time()
        shortener.feed(data[at : at + 65536])
        longest = max(longest, time.process_time() - step)
    seconds = time.process_time() - began
    record_property("MiB a second", f"{len(data) / 2**20 / seconds:,.0f}, at most {longest * 1000:.1f} ms at once")
    record_property("times as long as json.loads", f"{seconds / floor:.1f}")
    assert seconds < 100 * floor
