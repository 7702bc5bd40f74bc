"""Searching with several processes finds what one finds, and nothing from the first bad place on."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta

import pytest

from curfew.audit.findings import Kind
from curfew.audit.query import Query
from curfew.reader import parallel
from curfew.reader.errors import NotVerified
from curfew.reader.parallel_search import sifted_records
from curfew.reader.source import list_log
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer, alter, lose
from tests.support.stores import MemoryStore


@pytest.fixture(params=["here", "in other processes"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sift all segments here, as for a small log, or in other processes, as for a large one."""
    if request.param == "in other processes":
        monkeypatch.setattr(parallel, "_SMALL", 0)


async def found(log: ALog, query: Query) -> tuple[list[int], NotVerified | None]:
    """Return the indexes of what may be an answer, and why there are no more."""
    shown: list[int] = []
    store = MemoryStore(log.objects)
    names = await list_log(store, "main")
    try:
        async with aclosing(sifted_records(store, "main", names, log.verifier, query)) as records:
            async for index, line in records:
                assert line == log.lines[index]
                shown.append(index)
    except NotVerified as error:
        return shown, error
    return shown, None


ALL = Query()


async def test_what_may_be_an_answer_is_found_in_order(where: None) -> None:
    log = a_log(*[1, 2, 0, 3] * 30)

    assert await found(log, ALL) == (list(range(180)), None)
    assert await found(log, Query({"request": ("inc-170",), "event": ("grant.*",)})) == ([170], None)


async def test_it_goes_on_where_the_log_was_handed_over_and_past_what_is_void(where: None) -> None:
    log = a_log(2, 2)
    for seed in (2, 3):
        log.hand_over(a_signer(seed=seed), [a_record(10 * seed)])
        log.append([a_record(100 * seed)])
        rubbish = b"rubbish"
        log.objects[log.head.next_name()] = rubbish
        log.heads.append(log.head.voided(rubbish))
        log.append([a_record(1000 * seed)])

    assert (await found(log, ALL))[0] == list(range(12))


async def test_nothing_is_found_in_another_s_log() -> None:
    log = a_log(1, 2, 0, 3)
    log.signer = a_signer(seed=2)

    shown, error = await found(log, ALL)

    assert shown == []
    assert error is not None
    assert error.finding.kind is Kind.OTHER_KEY


def replace(log: ALog, seq: int) -> None:
    """Sign another segment, under the same name: good in itself, and the next does not follow from it."""
    other = ALog(objects=dict(list(log.objects.items())[:seq]), heads=log.heads[: seq + 1])
    other.heads = log.heads[: seq + 1]
    other.append([a_record(77)], at=BEGIN + timedelta(minutes=seq))
    log.objects[log.names[seq]] = other.objects[other.names[seq]]


@pytest.mark.parametrize("attack", [alter, lose])
async def test_nothing_is_found_from_the_first_bad_place_on(where: None, attack: Callable[[ALog, int], None]) -> None:
    log, seq = a_log(2, 2, 2, 2, 2, 2), 3
    attack(log, seq)

    shown, error = await found(log, ALL)

    assert shown == list(range(2 * seq))
    assert error is not None
    assert f"segment {seq}" in str(error).lower()


async def test_what_does_not_follow_is_found_where_it_was_put(where: None) -> None:
    log = a_log(2, 2, 2, 2)
    stored = dict(log.objects)
    replace(log, 2)
    assert log.objects.keys() == stored.keys()
    log.lines[4] = a_record(77).line()

    shown, error = await found(log, ALL)

    assert shown[:4] == list(range(4))
    assert error is not None
    assert "the log was forked here" in str(error)


async def test_a_process_that_a_thread_starts_is_not_ended_by_ctrl_c() -> None:
    """The page of `kubectl curfew ui` reads in threads; a terminal sends Ctrl-C to all processes."""

    def interrupted() -> object:
        with parallel._started(1) as pool:
            return pool.submit(signal.raise_signal, signal.SIGINT).result()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert await asyncio.to_thread(interrupted) is None
    assert interrupted() is None
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
