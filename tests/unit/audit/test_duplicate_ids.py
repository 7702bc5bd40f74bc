"""Whether one thing is recorded twice is told exactly, in however many parts it is looked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.audit import duplicate_ids
from curfew.audit.duplicate_ids import Repeat, SeenIds
from curfew.audit.record import Record
from curfew.audit.segment_summary import open_summary
from tests.support.logs import ALog, a_record


def take(segments: list[list[int]]) -> tuple[SeenIds, list[str]]:
    """Return what was seen of a log whose records tell of these numbers, and the names of its segments."""
    log, found = ALog(), SeenIds()
    for numbers in segments:
        name = log.append([a_record(number) for number in numbers])
        found.add(open_summary(name, log.objects[name], log.verifier, "main")[0])
    return found, log.names


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=5))
def test_each_record_that_tells_of_the_same_as_an_earlier_one_is_told(at_once: int, segments: list[list[int]]) -> None:
    found, names = take(segments)
    expected: list[Repeat] = []
    first: dict[int, int] = {}
    index = 0
    for name, numbers in zip(names, segments, strict=True):
        for number in numbers:
            if first.setdefault(number, index) != index:
                expected.append(Repeat(name, index, first[number]))
            index += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicate_ids, "_AT_ONCE", at_once)
        assert list(found.repeats()) == expected


@pytest.mark.parametrize("id_", ["x", "F" * 32, "f" * 31, "é" * 32])
def test_an_id_of_another_form_is_as_good(id_: str) -> None:
    log, found = ALog(), SeenIds()
    for number in (1, 2):
        body = a_record(number).body
        block = {**body["unmapped"]["curfew"], "id": id_}
        name = log.append([a_record(0), Record("", "", "", {**body, "unmapped": {"curfew": block}})])
        found.add(open_summary(name, log.objects[name], log.verifier, "main")[0])

    assert [(repeat.index, repeat.earlier) for repeat in found.repeats()] == [(2, 0), (3, 1)]
