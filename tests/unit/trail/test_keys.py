"""Who signs the log: a key that is slow or refuses costs time and no record, and a new key takes over from the old one."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.adapters.clock import SystemClock
from curfew.api.access_request import SealedRecord
from curfew.audit.checkpoint import Ed25519Signer, SigningFailed, Verifier, open_note
from curfew.audit.claims import checkpoint_in, claimed_key
from curfew.audit.rotation import EVENT, rotation
from curfew.audit.segment import Head, origin, seal
from curfew.core.seals import Seals, statement
from curfew.processes.operator.recall import Trail
from curfew.trail.keys import Keys
from curfew.trail.memory import Memory
from curfew.trail.recovery import recover
from tests.support.stores import FailingStore, MemoryStore, PowerCut, StallingStore, When
from tests.support.trail import (
    LOG,
    OTHER_SIGNER,
    SIGNER,
    START,
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

OLD, NEW = SIGNER, OTHER_SIGNER
NEWER = Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)))


class Elsewhere:
    """A key that is held elsewhere, as by a key management service."""

    is_remote = True

    def __init__(self, key: Ed25519Signer = SIGNER, answer: Callable[[], object] = lambda: None) -> None:
        """`answer` is called before each signature; it may take its time, or raise."""
        self._key = key
        self._answer = answer
        self.threads: list[str] = []
        self.is_asked = threading.Event()

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._key.verifier

    def sign(self, message: bytes) -> bytes:
        """Sign, after the answer."""
        self.threads.append(threading.current_thread().name)
        self.is_asked.set()
        self._answer()
        return self._key.sign(message)


def signed_with(objects: Mapping[str, bytes]) -> list[str]:
    """Return the keys of a log's segments, in order, as hashes in hex, each run of one key once."""
    found: list[str] = []
    for segment in segments(objects):
        hash_ = (claimed_key(objects[segment.name], origin(LOG)) or b"").hex()
        if found[-1:] != [hash_]:
            found.append(hash_)
    return found


def hashes(*signers: Ed25519Signer) -> list[str]:
    """Return the hashes of keys in hex."""
    return [signer.verifier.key_hash.hex() for signer in signers]


async def a_log_of(signer: Ed25519Signer = OLD) -> MemoryStore:
    """Return a store with a log that a key has signed: records 1 to 3."""
    store = MemoryStore()
    async with running(trail := a_trail(store, signer=signer)):
        trail.submit(records(1, 3))
        await settle()
    return store


# --- a key that is held elsewhere --------------------------------------------------------------------------------------


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


# --- one key takes over from another -----------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_new_key_takes_over_and_the_chain_goes_on() -> None:
    store = await a_log_of(OLD)
    observer = Observer()
    async with running(trail := a_trail(store, observer, signer=NEW, previous=OLD, writer="curfew-2")):
        trail.submit(records(3, 5))
        await settle()
        assert trail.health.ok

    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert told_once(store.objects) == [record.id for record in records(1, 5)]
    (handing_over,) = (segment for segment in segments(store.objects) if b'"audit.key_rotated"' in segment.lines[-1])
    assert len(handing_over.lines) == 1
    (told,) = (record for record in log_of(store.objects) if record.event == EVENT)
    assert told.block["detail"]["previous_key"] == OLD.verifier_key
    assert told.block["detail"]["verifier_key"] == NEW.verifier_key


@pytest.mark.looptime
@pytest.mark.parametrize("previous", [OLD, None], ids=["the old key is still named", "it is not named any more"])
async def test_a_log_is_handed_over_once(previous: Ed25519Signer | None) -> None:
    store = await a_log_of(OLD)
    for number, before in ((4, OLD), (5, OLD), (6, previous)):
        last = MemoryStore(dict(store.objects))
        async with running(trail := a_trail(store, signer=NEW, previous=before, writer=f"curfew-{number}")):
            trail.submit(records(number, number))
            await settle()
        if before is None:
            assert trail.health.reason == "KeyUnknown"
            assert last.objects == store.objects

    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert [record.event for record in log_of(store.objects)].count(EVENT) == 1


@pytest.mark.looptime
async def test_a_new_log_begins_with_the_new_key() -> None:
    store = MemoryStore()
    async with running(a_trail(store, signer=SIGNER, previous=NEW)):
        await settle()

    assert signed_with(store.objects) == hashes(SIGNER)
    assert log_of(store.objects)[0].event == "audit.opened"


@pytest.mark.looptime
async def test_a_new_key_without_the_one_before_it_grants_nothing_and_says_what_to_do() -> None:
    store = await a_log_of(OLD)
    there = dict(store.objects)
    observer = Observer()
    async with running(trail := a_trail(store, observer, signer=NEW)):
        trail.submit(records(4, 4))
        await asyncio.sleep(60)
        health = trail.health

    assert store.objects == there
    assert (health.ok, health.is_open, health.reason) == (False, False, "KeyUnknown")
    (ours,), (theirs,) = hashes(NEW), hashes(OLD)
    assert f"is signed with key {theirs}, and the settings name {ours}" in health.message
    assert "audit.previousKeyFile" in health.message


@pytest.mark.looptime
async def test_an_old_key_is_not_gone_on_with() -> None:
    """Settings that were put back after the rotation: nobody would believe what the old key signs from then on."""
    store = await a_log_of(OLD)
    async with running(trail := a_trail(store, signer=NEW, previous=OLD)):
        trail.submit(records(4, 4))
        await settle()
    there = dict(store.objects)

    async with running(trail := a_trail(store, signer=OLD, writer="curfew-3")):
        trail.submit(records(5, 5))
        await asyncio.sleep(60)
        health = trail.health

    assert store.objects == there
    assert health.reason == "KeyUnknown"
    assert "Give it the newest in audit.keyFile" in health.message


@pytest.mark.looptime
async def test_two_rotations_are_one_chain() -> None:
    store = await a_log_of(OLD)
    for number, (signer, previous) in enumerate(((NEW, OLD), (NEWER, NEW)), 4):
        async with running(trail := a_trail(store, signer=signer, previous=previous, writer=f"curfew-{number}")):
            trail.submit(records(number, number))
            await settle()

    # The second needs only the key before it, but for the window that is read back, in which the first one lies.
    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert trail.health.reason == "KeyUnknown"


async def test_what_is_read_back_may_begin_with_the_rotation() -> None:
    """The last segment before the window is the one that hands over."""
    objects: dict[str, bytes] = {}
    head = Head.genesis(LOG)
    days = {0.0: OLD, 4.0: OLD, 4.5: NEW, 5.0: NEW}
    for day, signer in days.items():
        at = START + timedelta(days=day)
        told = rotation(LOG, at=at, old=OLD, new=NEW) if day == 4 else a_record(int(day * 2))
        name = head.next_name()
        objects[name], head = seal(head, [told.line()], at=at, writer="curfew-1", signer=signer)

    for verifiers in ([NEW.verifier, OLD.verifier], [NEWER.verifier, NEW.verifier, OLD.verifier]):
        recovered = await recover(MemoryStore(objects), LOG, verifiers, timedelta(hours=25), at, partial(Memory, LOG))

        assert (recovered.head, recovered.verifier) == (head, NEW.verifier)


@pytest.mark.looptime
async def test_an_old_writer_that_still_lives_writes_nothing_after_the_rotation() -> None:
    store = await a_log_of(OLD)
    old_observer = Observer()
    async with running(old := a_trail(store, old_observer, signer=OLD, writer="curfew-old")):
        await settle()
        async with running(new := a_trail(store, signer=NEW, previous=OLD, writer="curfew-new")):
            new.submit(records(4, 4))
            await settle()
            old.submit(records(5, 6))
            await settle()
            there = dict(store.objects)
            await asyncio.sleep(30)
            assert (old.health.ok, old.health.reason) == (False, "KeyUnknown")
            assert old.receipt(a_record(5).id) is None
            new.submit(records(5, 6))
            await settle()
            await old.close()

    assert set(there) < set(store.objects)
    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert sorted(told_once(store.objects)) == sorted(record.id for record in records(1, 6))


@pytest.mark.looptime
async def test_another_writer_may_hand_the_log_over_first() -> None:
    store = await a_log_of(OLD)
    stalling = StallingStore(store)
    async with running(late := a_trail(stalling, signer=NEW, previous=OLD, writer="curfew-late")):
        await late_is_about_to_hand_over(late, stalling)
        await asyncio.sleep(1)
        async with running(first := a_trail(store, signer=NEW, previous=OLD, writer="curfew-first")):
            first.submit(records(4, 4))
            await settle()
        late.submit(records(5, 5))
        stalling.let_go()
        await settle()

    assert [record.event for record in log_of(store.objects)].count(EVENT) == 1
    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert sorted(told_once(store.objects)) == sorted(record.id for record in records(1, 5))


async def late_is_about_to_hand_over(late: Trail, stalling: StallingStore) -> None:
    """Return when the segment that hands over is on its way, and hold it there."""
    while "create" not in stalling.calls:
        if late._head is not None:
            stalling.stall()
        await asyncio.sleep(0)


# --- and whatever happens meanwhile, once ------------------------------------------------------------------------------


async def a_rotating_life(store: FailingStore, writer: str) -> bool:
    """Take over with the new key and write a record. False: died on the way."""
    observer = Observer()
    trail = a_trail(store, observer, signer=NEW, previous=OLD, writer=writer)
    task = asyncio.create_task(trail.run())
    task.add_done_callback(lambda _: observer.moved.set())
    trail.submit(records(3, 5))
    try:
        await until(observer, lambda: task.done() or trail.receipt(a_record(5).id) is not None)
        return not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, PowerCut):
            await task


@pytest.mark.looptime
@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("dies", [False, True], ids=["fails", "dies"])
async def test_whatever_goes_wrong_at_any_call_there_is_one_rotation_and_one_chain(when: When, dies: bool) -> None:
    begun = (await a_log_of(OLD)).objects
    undisturbed = FailingStore(MemoryStore(dict(begun)))
    assert await a_rotating_life(undisturbed, "curfew-1")
    assert len(undisturbed.calls) > 6
    for number in range(1, len(undisturbed.calls) + 1):
        disk = MemoryStore(dict(begun))
        disturbed = FailingStore(disk, fails=number.__eq__, when=when)
        if dies:
            disturbed.error = PowerCut
        await a_rotating_life(disturbed, "curfew-1")
        assert await a_rotating_life(FailingStore(disk), "curfew-2")

        assert [record.event for record in log_of(disk.objects)].count(EVENT) == 1, f"{when} call {number}"
        assert signed_with(disk.objects) == hashes(OLD, NEW), f"{when} call {number}"
        assert sorted(told_once(disk.objects)) == sorted(record.id for record in records(1, 5))


async def test_a_rotation_waits_for_a_key_that_refuses() -> None:
    store = await a_log_of_now()
    answers = iter([SigningFailed("The key is disabled.")] * 4)

    def answer() -> None:
        for refusal in answers:
            raise refusal

    observer = Observer()
    trail = a_trail(store, observer, signer=Elsewhere(NEW, answer), previous=OLD, clock=SystemClock())
    async with running(trail):
        trail.submit(records(4, 4))
        await until(observer, lambda: trail.receipt(a_record(4).id) is not None, within=30)

    assert signed_with(store.objects) == hashes(OLD, NEW)
    assert [record.event for record in log_of(store.objects)].count(EVENT) == 1


async def a_log_of_now() -> MemoryStore:
    """Return a store with a log of the old key, without the time of a test's loop."""
    store, observer = MemoryStore(), Observer()
    async with running(trail := a_trail(store, observer, clock=SystemClock())):
        trail.submit(records(1, 3))
        await until(observer, lambda: trail.receipt(a_record(3).id) is not None, within=30)
    return store


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
