"""A batch is taken when everything good in it is durable, and is welcome again if it was not."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from curfew.audit.record import Record
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.unannounced import MOST_CALLS
from curfew.ports import Batch, BatchRefused, IntakeUnavailable, Overloaded, StoreUnavailable
from curfew.processes.monitor import intake as module
from tests.support.activity import a_call, announced, refused
from tests.support.builders import NOON
from tests.support.foreign import LEDGER, a_line
from tests.support.monitoring import AnIntake, event, event_list
from tests.support.reading_activity import records_in
from tests.support.stores import MemoryStore

pytestmark = pytest.mark.looptime


def told(store: MemoryStore) -> list[str]:
    """Return the events of the records in a log, in order, without those about the log itself."""
    return [record.event for record in records_in(store) if not record.event.startswith("audit.")]


async def test_what_belongs_to_a_session_is_durable_when_the_batch_is_taken() -> None:
    async with AnIntake([announced()]).running() as here:
        await here.intake.take(event_list(a_call(), a_call("delete", "pods/web-0")))
        assert told(here.store) == ["call.read", "call.deleted"]


async def test_what_belongs_to_nobody_is_only_counted() -> None:
    async with AnIntake([]).running() as here:
        await here.intake.take(event_list(a_call(reason="", user="dave@example.com"), refused()))
        assert told(here.store) == []
        assert here.numbers.events == [("Nobody", 2)]


async def test_a_batch_that_comes_again_appends_nothing_twice() -> None:
    batch = event_list(a_call(), a_call("create", "pods/web-1"))
    async with AnIntake([announced()]).running() as here:
        await here.intake.take(batch)
        await here.intake.take(batch)
        await asyncio.gather(here.intake.take(batch), here.intake.take(batch))
        assert told(here.store) == ["call.read", "call.created"]


async def test_a_batch_that_comes_again_after_the_process_died_appends_nothing_twice() -> None:
    batch, more = event_list(a_call(), a_call("create", "pods/web-1")), event_list(a_call("list", "pods"))
    store = MemoryStore()
    async with AnIntake([announced()], store).running() as here:
        await here.intake.take(batch)
    async with AnIntake([announced()], store).running() as here:
        await here.intake.take(batch)
        await here.intake.take(more)
        assert told(store) == ["call.read", "call.created", "call.read"]
        assert here.own.memory.tally(announced().subject).reads == 2


async def test_calls_of_a_grant_that_is_not_known_yet_make_a_hole_if_there_is_no_room_to_remember_them() -> None:
    """A broken glass that goes unrecorded is used before the trail holds it."""
    async with AnIntake([]).running() as here:
        await here.intake.take(event_list(*(a_call() for _ in range(MOST_CALLS))))
        assert here.holes == []
        await here.intake.take(event_list(a_call("delete", "pods/web-0")))
        assert here.holes == ["too many calls were allowed by bindings of grants that are not known yet"]


async def test_no_call_is_judged_before_the_operators_log_was_read_up_to_its_arrival() -> None:
    async with AnIntake([]).running() as here:
        here.followed.is_current.clear()
        taking = asyncio.create_task(here.intake.take(event_list(a_call())))
        await asyncio.sleep(5)
        assert not taking.done()
        here.sessions.learn(announced())
        here.followed.is_current.set()
        await taking
        assert told(here.store) == ["call.read"]


async def test_while_the_operators_log_cannot_be_read_a_batch_is_welcome_later_and_blocks_coverage() -> None:
    async with AnIntake([announced()]).running() as here:
        here.followed.error = IntakeUnavailable("The bucket is away.")
        batch = event_list(a_call())
        with pytest.raises(IntakeUnavailable):
            await here.intake.take(batch)
        assert told(here.store) == []
        assert here.feed.is_waiting
        here.followed.error = None
        await here.intake.take(batch)
        assert told(here.store) == ["call.read"]
        assert not here.feed.is_waiting


class Blocked(MemoryStore):
    """A store that can be away."""

    is_away = False

    async def create(self, name: str, body: bytes) -> None:
        """Store an object, unless the store is away."""
        if self.is_away:
            raise StoreUnavailable("the bucket is away.")
        await super().create(name, body)


async def test_a_batch_whose_records_are_not_durable_yet_is_known_to_be_in_hand() -> None:
    async with AnIntake([announced()]).running() as here:
        done: list[bool] = []
        create = here.store.create

        async def watched(name: str, body: bytes) -> None:
            done.append(here.feed.is_done(1))
            await create(name, body)

        here.store.create = watched  # type: ignore[method-assign]  # looks while the records are on their way
        await here.intake.take(event_list(a_call()))
        assert (done[0], here.feed.arrivals, here.feed.is_done(1)) == (False, 1, True)


async def test_while_nothing_can_be_recorded_no_batch_is_taken_and_none_is_lost() -> None:
    store = Blocked()
    async with AnIntake([announced()], store).running() as here:
        store.is_away = True
        first, second = event_list(a_call()), event_list(a_call("delete", "pods/web-0"))
        with pytest.raises(IntakeUnavailable, match="did not become durable"):
            await here.intake.take(first)
        with pytest.raises(IntakeUnavailable, match="Nothing can be recorded now"):
            await here.intake.take(second)
        store.is_away = False
        await here.healthy()
        await here.intake.take(second)
        await here.intake.take(first)
        assert not here.feed.is_waiting
        assert sorted(told(store)) == ["call.deleted", "call.read"]


async def test_few_records_wait_at_a_time_however_many_grants_their_person_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused call has a record in each of them, and a record may be some times as long as its event."""
    grants = [announced(f"{number:08x}-0000-0000-0000-000000000000") for number in range(40)]
    monkeypatch.setattr(module, "MOST_UNWRITTEN", 100)
    async with AnIntake(grants).running() as here:
        submit, handed, waiting = here.own.submit, set[str](), [0]

        def counting(records: Sequence[Record]) -> None:
            submit(records)
            handed.update(record.id for record in records)
            waiting.append(len(handed - {record.id for record in here.observer.told}))

        monkeypatch.setattr(here.own, "submit", counting)
        await here.intake.take(event_list(*(refused() for _ in range(20))))
        assert len(handed) == 800
        assert max(waiting) < 140


async def test_a_sender_that_goes_away_will_bring_it_again() -> None:
    async with AnIntake([announced()]).running() as here:
        here.followed.is_current.clear()
        taking = asyncio.create_task(here.intake.take(event_list(a_call())))
        await asyncio.sleep(1)
        taking.cancel()
        await asyncio.wait([taking])
        assert here.feed.is_waiting
        assert here.numbers.waiting[-1] == 0


async def test_more_than_fits_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = event_list(a_call())
    monkeypatch.setattr(module, "MOST_WAITING", 2 * len(batch.body))
    async with AnIntake([announced()]).running() as here:
        here.followed.is_current.clear()
        taking = [asyncio.create_task(here.intake.take(batch)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as overloaded:
            await here.intake.take(batch)
        assert overloaded.value.retry_after > 0
        here.followed.is_current.set()
        await asyncio.gather(*taking)
        await here.intake.take(batch)
        assert told(here.store) == ["call.read"]


async def test_one_bad_event_costs_no_good_one_and_makes_a_hole() -> None:
    good = event(a_call())
    bad = {**event(a_call()), "user": "not an object"}
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [bad, good]}
    async with AnIntake([announced()]).running() as here:
        await here.intake.take(Batch("node-1", Form.KUBERNETES, json.dumps(body).encode(), is_lines=False))
        assert told(here.store) == ["call.read"]
        assert here.numbers.refused == [("WrongField", 1)]
        assert here.holes == ["an audit event of node-1 could not be read: WrongField"]


@pytest.mark.parametrize("body", [b"", b"rubbish", b"[]", b'{"kind":"PodList","apiVersion":"v1","items":[]}'])
async def test_a_body_that_is_no_list_of_events_is_refused_and_not_waited_for(body: bytes) -> None:
    async with AnIntake([announced()]).running() as here:
        with pytest.raises(BatchRefused):
            await here.intake.take(Batch("node-1", Form.KUBERNETES, body, is_lines=False))
        assert not here.feed.is_waiting


async def test_lines_are_taken_as_lists_are() -> None:
    lines = b"\n".join(
        json.dumps(event(call) | {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}).encode()
        for call in (a_call(), a_call("list", "pods"))
    )
    async with AnIntake([announced()]).running() as here:
        await here.intake.take(Batch("node-1", Form.KUBERNETES, lines, is_lines=True))
        assert told(here.store) == ["call.read", "call.read"]


async def test_lines_of_another_system_are_recorded_once_and_say_nothing_about_the_feed() -> None:
    batch = Batch("db-1", Form.KUBERNETES, a_line(ticket="INC-4711") + b"\nrubbish", is_lines=True, mapping="ledger")
    async with AnIntake([announced()], mappings={"ledger": LEDGER}).running() as here:
        here.followed.error = IntakeUnavailable("The bucket is away.")
        with pytest.raises(IntakeUnavailable):
            await here.intake.take(batch)
        assert not here.feed.is_waiting
        here.followed.error = None
        await here.intake.take(batch)
        await here.intake.take(batch)
        assert told(here.store) == ["external.called"]
        assert here.numbers.refused == [("NotJson", 1), ("NotJson", 1)]
        assert here.holes == []
        assert here.feed.heard_since(NOON) == ()
