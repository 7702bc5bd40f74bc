"""Who signs the log: a key that is slow or refuses costs time and no record, and seals outlast a change of keys."""

import asyncio
import itertools
import threading
from datetime import timedelta

import pytest

from curfew.adapters.clock import SystemClock
from curfew.api.access_request import SealedRecord
from curfew.audit.checkpoint import SigningFailed, open_note
from curfew.audit.unverified_seal import checkpoint_in
from curfew.core.seals import Seals, statement
from curfew.trail.keys import Keys
from tests.support.keys import NEW, OLD, Elsewhere, a_log_of
from tests.support.stores import MemoryStore
from tests.support.trail import (
    SIGNER,
    Observer,
    a_record,
    a_trail,
    log_of,
    records,
    running,
    segments,
    settle,
    told_once,
    until,
)


async def test_a_slow_key_keeps_nothing_else_waiting() -> None:
    let_go = threading.Event()
    signer = Elsewhere(answer=lambda: let_go.wait(5))
    observer = Observer()
    trail = a_trail(MemoryStore(), observer, signer=signer, clock=SystemClock())
    async with running(trail):
        trail.submit(records(1, 3))
        await asyncio.to_thread(signer.is_asked.wait, 30)
        turns = 0
        for _ in range(1000):
            await asyncio.sleep(0)
            turns += 1
        assert (turns, trail.receipt(a_record(3).id)) == (1000, None)
        let_go.set()
        await until(observer, lambda: trail.receipt(a_record(3).id) is not None, within=30)

    assert all(name.startswith("signing") for name in signer.threads)


async def test_a_key_that_refuses_for_a_while_costs_no_record() -> None:
    answers = iter([SigningFailed("The key is disabled.")] * 6)

    def answer() -> None:
        for refusal in answers:
            raise refusal

    store, observer = MemoryStore(), Observer()
    trail = a_trail(store, observer, signer=Elsewhere(answer=answer), clock=SystemClock())
    async with running(trail):
        trail.submit(records(1, 3))
        await until(observer, lambda: trail.receipt(a_record(3).id) is not None and trail.health.ok, within=30)
        await trail.close()

    assert told_once(store.objects) == [record.id for record in records(1, 3)]
    (said,) = (health for health in observer.healths if health.reason == "SigningFailed")
    assert (said.ok, said.message) == (False, "The key is disabled.")
    (failed,) = (record for record in log_of(store.objects) if record.event == "audit.sink_failed")
    assert failed.block["detail"]["reason"] == "SigningFailed"


async def test_a_key_that_does_not_answer_is_given_up_and_asked_again() -> None:
    let_go = threading.Event()
    calls = itertools.count()

    def answer() -> None:
        if next(calls) == 0:
            let_go.wait(30)

    observer = Observer()
    signer = Elsewhere(answer=answer)
    trail = a_trail(
        MemoryStore(), observer, signer=signer, clock=SystemClock(), call_timeout=timedelta(milliseconds=50)
    )
    try:
        async with running(trail):
            trail.submit(records(1, 1))
            await until(observer, lambda: trail.receipt(a_record(1).id) is not None, within=30)
    finally:
        let_go.set()


@pytest.mark.looptime
async def test_a_key_that_is_held_here_signs_at_once() -> None:
    """Without a thread: a trail on the time of the loop alone could not wait for one."""
    store = await a_log_of()

    assert told_once(store.objects) == [record.id for record in records(1, 3)]


@pytest.mark.looptime
async def test_what_is_told_of_a_segment_is_what_the_log_holds() -> None:
    store, observer = MemoryStore(), Observer()
    async with running(trail := a_trail(store, observer)):
        trail.submit(records(1, 2))
        await settle()
        trail.submit(records(3, 3))
        await settle()

    assert [stored for _, _, stored in observer.segments] == [
        store.objects[segment.name] for segment in segments(store.objects)
    ]
    assert [lines for _, lines, _ in observer.segments] == [segment.lines for segment in segments(store.objects)]
    first, lines, stored = observer.segments[-1]
    assert open_note(checkpoint_in(stored), SIGNER.verifier).size == first + len(lines)


class Varying(Elsewhere):
    """A key whose signatures of one text are never the same."""

    def sign(self, message: bytes) -> bytes:
        """Sign something else each time."""
        return super().sign(message + bytes([len(self.threads)]))


async def test_a_key_that_signs_differently_each_time_is_named() -> None:
    """What seals the records in a status is made of a signature: the next process has to make the same."""
    trail = a_trail(MemoryStore(), observer := Observer(), signer=Varying())
    async with running(trail):
        await until(observer, lambda: trail.health.reason == "KeyUnknown")

    assert trail.seals is None
    assert "signs the same text differently each time" in trail.health.message


async def test_what_one_process_sealed_the_next_opens_with_the_next_key() -> None:
    """A key exchange loses no record that waits in a status."""
    about = a_record(1)
    keys, next_keys = Keys(OLD, patience=timedelta(seconds=1)), Keys(NEW, OLD, patience=timedelta(seconds=1))
    entry = SealedRecord.model_validate((await seals(keys)).seal(about.subject, about))

    assert (await seals(next_keys)).open(about.subject, [entry]).records == (about,)
    assert (await seals(Keys(NEW, patience=timedelta(seconds=1)))).open(about.subject, [entry]).records == ()


async def seals(keys: Keys) -> Seals:
    """Return what is made of a signature by each key."""
    return Seals(*await keys.signatures(statement))
