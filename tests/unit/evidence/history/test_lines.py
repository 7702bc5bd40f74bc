"""Lines are bounded in bytes, and keep their numbers whatever lies between them."""

import io

from hypothesis import given
from hypothesis import strategies as st

from curfew.evidence.history.lines import ReadingCounts, bounded_lines

LONGEST = 10


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line)), st.booleans())
def test_each_line_comes_with_its_number_and_none_is_too_long(lines: list[bytes], ends: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if ends else b"")

    found = dict(bounded_lines(io.BytesIO(content), LONGEST))

    for number, line in enumerate(lines, 1):
        shown = found.pop(number, None)
        # White space around a line that is a little too long may be cut.
        assert shown == (line.strip() or None) or (len(line) > LONGEST and shown is None)
        assert shown is None or len(shown) <= LONGEST
    assert found == {}


class Endless:
    """A line without an end, which counts how much of it is asked for."""

    def __init__(self) -> None:
        self.left = 10_000

    def readline(self, size: int, /) -> bytes:
        assert size <= 2**16
        self.left -= 1
        return b"x" * min(size, 2**16) if self.left > 0 else b""


def test_a_line_that_does_not_end_is_never_held_whole() -> None:
    assert list(bounded_lines(Endless(), LONGEST)) == [(1, None)]


def test_so_many_bad_lines_are_named_and_the_others_counted() -> None:
    counts = ReadingCounts()
    for number in range(1, 101):
        counts.refuse("audit.log", number, "it is not JSON")

    assert counts.unreadable == 100
    assert counts.places[0] == "audit.log, line 1: it is not JSON"
    assert len(counts.places) == ReadingCounts.MOST_NAMED
