"""What is read from a log is verified before it is shown: reading ends at the first place that is not as it was written."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from curfew.audit.findings import Anchor, Kind
from curfew.reader.errors import CannotRead, NotVerified
from curfew.reader.stream import VerifiedRecord, known_key, verified_records, verified_segments
from tests.support.logs import ALog, a_log, a_record, a_signer, alter, lose
from tests.support.stores import MemoryStore


async def told(log: ALog, **how: Any) -> tuple[list[int], NotVerified | None]:
    """Return the indexes of the records that are shown, and why there are no more."""
    shown: list[int] = []
    try:
        async with aclosing(verified_records(MemoryStore(log.objects), "main", log.verifier, **how)) as records:
            async for record in records:
                shown.append(record.index)  # noqa: PERF401  what was shown before an error counts
    except NotVerified as error:
        return shown, error
    return shown, None


async def all_of(records: AsyncGenerator[VerifiedRecord]) -> list[VerifiedRecord]:
    """Return all records."""
    async with aclosing(records):
        return [record async for record in records]


async def test_all_records_of_a_whole_log_are_shown_in_order() -> None:
    log = a_log(1, 2, 0, 3)

    records = await all_of(verified_records(MemoryStore(log.objects), "main", log.verifier))

    assert [record.index for record in records] == [0, 1, 2, 3, 4, 5]
    assert [record.line for record in records] == log.lines
    assert [record.segment.seq for record in records] == [0, 1, 1, 3, 3, 3]
    assert [record.record.line() for record in records if record.record] == log.lines


async def test_segments_come_with_the_bytes_that_were_verified() -> None:
    log = a_log(1, 2, 0, 3)

    async with aclosing(verified_segments(MemoryStore(log.objects), "main", log.verifier)) as links:
        stored = {link.segment.name: link.stored async for link in links}

    assert list(stored.items()) == list(log.objects.items())


async def test_a_log_that_was_handed_over_is_shown_to_whoever_has_the_newest_key() -> None:
    log = a_log(1, 2, 0, 3)
    log.hand_over(a_signer(seed=2))
    log.append([a_record(7)])

    assert await told(log) == ([0, 1, 2, 3, 4, 5, 6, 7], None)


@pytest.mark.parametrize("is_handed_over", [False, True])
async def test_nothing_is_shown_of_another_s_log(is_handed_over: bool) -> None:
    """It is of one piece, and only its end shows that it does not lead to the key that is trusted."""
    log = a_log(1, 2, 0, 3)
    if is_handed_over:
        log.hand_over(a_signer(seed=2))
    log.signer = a_signer(seed=2)

    shown, error = await told(log)

    assert shown == []
    assert error is not None
    assert error.finding.kind is Kind.OTHER_KEY


def double(log: ALog, seq: int) -> None:
    """Put a second segment beside one."""
    name = log.names[seq]
    log.objects[f"{name.rpartition('-')[0]}-{'f' * 16}.jsonl.zst"] = log.objects[name]


@pytest.mark.parametrize("attack", [alter, lose, double])
@pytest.mark.parametrize("seq", [1, 2, 3, 4])
async def test_nothing_is_shown_from_the_first_bad_place_on(attack: Callable[[ALog, int], None], seq: int) -> None:
    log = a_log(2, 2, 2, 2, 2, 2)
    attack(log, seq)

    shown, error = await told(log)

    assert shown == list(range(2 * seq))
    assert error is not None
    assert f"segment {seq}" in str(error).lower()


async def test_what_is_recorded_twice_is_told_at_the_end() -> None:
    log = a_log(2, 2)
    log.append([a_record(1)])
    log.append([a_record(9)])

    _, error = await told(log)

    assert error is not None
    assert "holds record 4, which repeats record 1" in str(error)


async def test_a_bad_end_is_found_with_an_anchor() -> None:
    log = a_log(2, 2, 2)
    anchor = Anchor(6, log.head.range.root(), "the receipt")
    lose(log, 2)

    _, error = await told(log, anchors=[anchor])

    assert error is not None
    assert "was cut off at its end: the receipt covers 6 records, and the log has only 4" in str(error)


async def test_a_line_of_a_later_version_is_told_and_not_read() -> None:
    log = a_log(1)
    log.append_lines([b'{"unmapped":{"curfew":{"schema":"curfew.audit/v9"}}}'])

    records = await all_of(verified_records(MemoryStore(log.objects), "main", log.verifier))

    assert [record.record is None for record in records] == [False, True]


async def test_without_a_key_the_log_names_its_own() -> None:
    log = a_log(1)
    store = MemoryStore(log.objects)

    assert await known_key(store, "main", None) == log.verifier
    assert await known_key(store, "main", a_signer(seed=2).verifier) == a_signer(seed=2).verifier
    alter(log, 0)
    with pytest.raises(NotVerified, match="names no key that can be read"):
        await known_key(store, "main", None)


async def test_a_log_that_is_not_there_cannot_be_read() -> None:
    with pytest.raises(CannotRead, match="There is no log at memory://"):
        await all_of(verified_records(MemoryStore({}), "main", a_signer().verifier))
