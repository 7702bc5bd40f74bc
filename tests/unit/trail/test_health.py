"""The trail's health: when trouble is announced, in which words, and what the log tells of it afterwards."""

import asyncio
from datetime import datetime, timedelta

import pytest

from curfew.core.trail_state import TrailReason, TrailTrouble
from curfew.ports import Attestation, LockEvidence, StoreUnavailable
from curfew.trail.health import HealthKeeper
from tests.support.stores import FailingStore, MemoryStore, StallingStore
from tests.support.trail import (
    START,
    LoopClock,
    Observer,
    a_record,
    a_trail,
    log_of,
    records,
    running,
    settle,
    told_once,
)

pytestmark = pytest.mark.looptime

AWAY = TrailTrouble(TrailReason.STORE_UNAVAILABLE, "The store is away.")
PROVED = Attestation(at=START, evidence=LockEvidence.STAMPED, sufficient=True, findings=())


@pytest.fixture
def observer() -> Observer:
    """Return a notebook."""
    return Observer()


@pytest.fixture
async def keeper(observer: Observer) -> HealthKeeper:
    """Return a keeper of a trail that is open, proved and well."""
    kept = HealthKeeper(LoopClock(), observer.health_changed, worm_required=True)
    kept.opened()
    kept.attested(PROVED)
    observer.healths.clear()
    observer.moved.clear()
    return kept


def seconds() -> float:
    """Return how much time has gone by."""
    return round(asyncio.get_running_loop().time(), 3)


async def test_one_failure_that_is_made_good_is_not_worth_a_word(keeper: HealthKeeper, observer: Observer) -> None:
    keeper.trying()
    keeper.failed(AWAY)
    await asyncio.sleep(0.9)
    keeper.trying()

    assert keeper.succeeded() is None
    await asyncio.sleep(100)
    assert observer.healths == []
    assert keeper.health.ok


async def test_a_second_failure_in_a_row_is_announced_at_once(keeper: HealthKeeper) -> None:
    keeper.trying()
    keeper.failed(AWAY)
    assert keeper.health.ok
    keeper.trying()
    keeper.failed(AWAY)

    assert not keeper.health.ok
    assert seconds() == 0


async def test_a_failure_that_is_not_made_good_within_a_second_is_announced(
    keeper: HealthKeeper, observer: Observer
) -> None:
    keeper.trying()
    await asyncio.sleep(2)
    keeper.failed(AWAY)
    keeper.trying()  # and no answer
    await observer.moved.wait()

    assert seconds() == 3
    assert (keeper.health.ok, keeper.health.reason, keeper.health.message) == (
        False,
        "StoreUnavailable",
        "The store is away.",
    )
    assert keeper.health.since == START + timedelta(seconds=3)


async def test_a_call_without_an_answer_is_announced_after_three_seconds(
    keeper: HealthKeeper, observer: Observer
) -> None:
    keeper.trying()
    await observer.moved.wait()

    assert seconds() == 3
    assert keeper.health.message == "The store has not answered for 3 s."


async def test_what_does_not_pass_by_itself_is_announced_at_once(keeper: HealthKeeper) -> None:
    keeper.failed(TrailTrouble(TrailReason.SLOT_TAKEN, "It is taken.", lasts=True))

    assert (keeper.health.ok, keeper.health.reason) == (False, "SlotTaken")


async def test_an_outage_is_measured_from_the_first_failure_to_the_first_success(keeper: HealthKeeper) -> None:
    await asyncio.sleep(10)
    keeper.trying()
    keeper.failed(AWAY)
    await asyncio.sleep(0.5)
    keeper.failed(AWAY)
    await asyncio.sleep(20)
    outage = keeper.succeeded()

    assert outage is not None
    assert (outage.since, outage.until) == (START + timedelta(seconds=10), START + timedelta(seconds=30.5))
    assert keeper.health.ok
    assert keeper.succeeded() is None


async def test_a_new_message_is_told_and_the_same_one_is_not(keeper: HealthKeeper, observer: Observer) -> None:
    for _ in range(5):
        keeper.failed(AWAY)
        await asyncio.sleep(2)
    keeper.failed(TrailTrouble(TrailReason.STORE_UNAVAILABLE, "The credentials are wrong."))

    assert [health.message for health in observer.healths] == ["The store is away.", "The credentials are wrong."]
    assert len({health.since for health in observer.healths}) == 1


async def test_trouble_has_the_word_before_what_is_not_proved(keeper: HealthKeeper) -> None:
    keeper.attested(Attestation(START, LockEvidence.REFUSED, sufficient=False, findings=("No lock.", "No versions.")))
    assert (keeper.health.reason, keeper.health.message) == ("NotWriteOnce", "No lock. No versions.")
    keeper.failed(AWAY)
    keeper.failed(AWAY)
    assert keeper.health.reason == "StoreUnavailable"
    keeper.succeeded()
    assert keeper.health.reason == "NotWriteOnce"


# --- of a whole trail -----------------------------------------------------------------------------------------------


async def test_a_trail_is_well_when_it_is_open_and_its_store_is_proved(observer: Observer) -> None:
    store = MemoryStore()
    trail = a_trail(store, observer)
    assert (trail.health.ok, trail.health.reason, trail.health.is_open) == (False, "Opening", False)
    async with running(trail):
        await settle()

    assert observer.reasons == ["NotYetProved", "Writing"]
    assert (trail.health.ok, trail.health.is_open) == (True, True)


async def test_a_store_that_is_away_at_the_start_is_waited_for(observer: Observer) -> None:
    inner = MemoryStore()
    store = FailingStore(inner, fails=lambda number: True)
    trail = a_trail(store, observer)
    async with running(trail):
        trail.submit(records(1, 2))
        await asyncio.sleep(30)
        assert (trail.health.reason, trail.health.is_open) == ("StoreUnavailable", False)
        store.fails = lambda number: False
        await asyncio.sleep(3)
        assert trail.health.ok

    assert told_once(inner.objects) == [record.id for record in records(1, 2)]
    assert [record.event for record in log_of(inner.objects)][:3] == [
        "audit.opened",
        "audit.sink_failed",
        "audit.sink_recovered",
    ]


async def test_an_outage_is_announced_ended_and_told_once(observer: Observer) -> None:
    inner = MemoryStore()
    store = FailingStore(inner)
    trail = a_trail(store, observer)
    async with running(trail):
        await asyncio.sleep(100)
        store.fails = lambda number: store.calls[number - 1] == "create"
        trail.submit(records(1, 1))
        await asyncio.sleep(30)
        trail.submit(records(2, 2))
        store.fails = lambda number: False
        await asyncio.sleep(100)

    assert observer.reasons == ["NotYetProved", "Writing", "StoreUnavailable", "Writing"]
    told = [record for record in log_of(inner.objects) if record.event.startswith("audit.sink")]
    assert [record.event for record in told] == ["audit.sink_failed", "audit.sink_recovered"]
    failed, recovered = told
    assert failed.at == START + timedelta(seconds=100)
    assert failed.message == "Nothing could be written to the log: The store does not answer."
    assert recovered.block["detail"] == {"failed": failed.id, "seconds": 31, "writer": "curfew-1"}


async def test_recovery_is_noticed_within_two_seconds_though_nothing_is_to_be_written(observer: Observer) -> None:
    store = StallingStore(MemoryStore())
    trail = a_trail(store, observer, call_timeout=timedelta(seconds=2))
    async with running(trail):
        await asyncio.sleep(59)
        store.stall()
        await asyncio.sleep(301)  # the sign of life that is due after a minute does not get through
        assert not trail.health.ok
        store.let_go()
        await asyncio.sleep(2.1)
        assert trail.health.ok


@pytest.mark.parametrize("required", [True, False])
async def test_a_store_that_is_not_write_once_is_not_written_unless_allowed_by_name(required: bool) -> None:
    store, observer = MemoryStore(), Observer()
    store.evidence, store.findings = LockEvidence.REFUSED, ("It is only a folder.",)
    trail = a_trail(store, observer, worm_required=required)
    async with running(trail):
        trail.submit(records(1, 1))
        await settle()

        assert trail.health.ok is not required
        assert observer.reasons[-1:] == (["NotWriteOnce"] if required else ["Writing"])
        # Records of what ends access are written either way.
        assert told_once(store.objects) == [a_record(1).id]

    (attested,) = (record for record in log_of(store.objects) if record.event == "audit.attested")
    assert attested.block["detail"] == {
        "evidence": "RefusedAttempt",
        "findings": ["It is only a folder."],
        "store": "memory://",
        "sufficient": False,
        "writer": "curfew-1",
    }
    assert attested.body["status_id"] == 2


async def test_proof_is_asked_for_again_and_a_change_is_told(observer: Observer) -> None:
    store = MemoryStore()
    trail = a_trail(store, observer, attest_every=timedelta(minutes=15))
    async with running(trail):
        await asyncio.sleep(3599)
        # Each answer is a record, so that an auditor can see when it was proved, and when not.
        assert [record.event for record in log_of(store.objects)] == ["audit.opened", *["audit.attested"] * 4]
        store.evidence, store.findings = LockEvidence.REFUSED, ("The lock was switched off.",)
        await asyncio.sleep(901)
        assert (trail.health.reason, trail.health.message) == ("NotWriteOnce", "The lock was switched off.")
        store.evidence, store.findings = LockEvidence.STAMPED, ()
        await asyncio.sleep(31)
        assert trail.health.ok

    attested = [record for record in log_of(store.objects) if record.event == "audit.attested"]
    assert [record.block["detail"]["sufficient"] for record in attested] == [True] * 4 + [False, True]
    # While something is wrong, it is asked for every half minute, and recorded once.
    told = [attestation.sufficient for attestation in observer.attestations]
    assert told == [True] * 4 + [False] * told.count(False) + [True]
    assert told.count(False) == 30


async def test_a_store_that_cannot_be_asked_is_not_proved_and_is_asked_again_soon(observer: Observer) -> None:
    store = FailingStore(MemoryStore())
    store.fails = lambda number: store.calls[number - 1] == "attest"
    trail = a_trail(store, observer)
    async with running(trail):
        await asyncio.sleep(10)
        assert trail.health.reason == "NotYetProved"
        assert trail.health.message == (
            "Curfew cannot check yet whether the store is write-once: The store does not answer."
        )
        store.fails = lambda number: False
        await asyncio.sleep(2.1)
        assert trail.health.ok
        store.fails = lambda number: store.calls[number - 1] == "attest"
        await asyncio.sleep(3600)
        assert trail.health.ok  # what was proved is taken to hold as long as the store cannot be asked


async def test_a_newest_segment_that_vanished_is_not_write_once(observer: Observer) -> None:
    class Forgetful(MemoryStore):
        async def attest(self, name: str, at: datetime) -> Attestation:
            del self.objects[name]
            return await super().attest(name, at)

    trail = a_trail(Forgetful(), observer)
    async with running(trail):
        await settle()

    assert trail.health.reason == "NotWriteOnce"
    assert trail.health.message == "The newest segment was stored, but can no longer be read."


async def test_asking_for_proof_holds_up_no_record() -> None:
    class Slow(MemoryStore):
        async def attest(self, name: str, at: datetime) -> Attestation:
            await asyncio.sleep(30)
            raise StoreUnavailable("It took too long.")

    store = Slow()
    trail = a_trail(store)
    async with running(trail):
        await settle()
        trail.submit(records(1, 1))
        await settle()

    assert trail.receipt(a_record(1).id) is not None
