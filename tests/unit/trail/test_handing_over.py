"""One key takes over from another: in one chain, once, whatever happens meanwhile."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.adapters.clock import SystemClock
from curfew.audit.checkpoint import Ed25519Signer, SigningFailed
from curfew.audit.rotation import EVENT, rotation
from curfew.audit.segment import Head, origin, seal
from curfew.audit.unverified_seal import claimed_key
from curfew.processes.operator.recall import Trail
from curfew.trail.memory import Memory
from curfew.trail.recovery import recover
from tests.support.keys import NEW, OLD, Elsewhere, a_log_of
from tests.support.stores import FailingStore, MemoryStore, PowerCut, StallingStore, When
from tests.support.trail import (
    LOG,
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

NEWER = Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)))


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
    assert f"is signed with key {theirs}, but the settings name {ours}" in health.message
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
    assert "Set audit.keyFile to the newest key" in health.message


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
