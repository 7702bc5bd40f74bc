"""A trail with pseudonyms: names stay with whoever keeps them, and the log is whole with and without them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.carried import cut
from curfew.audit.pseudonyms import Person
from curfew.audit.record import Story
from curfew.ports import StoreUnavailable
from curfew.storage.people import FRESH, People, object_name
from tests.support.stores import FailingStore, MemoryStore, When
from tests.support.trail import LoopClock, Observer, a_record, a_story, a_trail, log_of, running, told_once, until

pytestmark = pytest.mark.looptime

ALICE, BOB = "alice@example.com", "bob@example.com"


class Clock(LoopClock):
    """A clock that can be moved on."""

    def on(self, by: timedelta) -> None:
        """Let time go by."""
        self.start += by


@pytest.fixture
def names() -> MemoryStore:
    """Return the store that holds the names."""
    return MemoryStore()


@pytest.fixture
def log() -> MemoryStore:
    """Return the store that holds the log."""
    return MemoryStore()


def text_of(log: MemoryStore) -> str:
    """Return all that a verified log says of requests."""
    return "\n".join(record.line().decode() for record in log_of(log.objects) if record.subject != "main")


async def written(log: MemoryStore, names: MemoryStore, *numbers: int) -> Observer:
    """Let an operator write these records and end."""
    observer = Observer()
    trail = a_trail(log, observer, people=People(names, LoopClock()))
    wanted = [a_record(number) for number in numbers]
    trail.submit(wanted)
    async with running(trail):
        await until(observer, lambda: all(trail.receipt(record.id) for record in wanted))
    return observer


async def test_the_log_holds_no_names(log: MemoryStore, names: MemoryStore) -> None:
    await written(log, names, 1, 2)

    assert ALICE not in text_of(log)
    assert BOB not in text_of(log)
    assert "person:" in text_of(log)


async def test_whoever_asks_the_operator_hears_names(log: MemoryStore, names: MemoryStore) -> None:
    observer = await written(log, names, 1)

    assert a_record(1) in observer.told


async def test_whoever_sends_records_on_hears_no_names(log: MemoryStore, names: MemoryStore) -> None:
    """What leaves for other systems is what the log holds: there nobody could erase a name."""
    observer = await written(log, names, 1, 2)

    sent = b"\n".join(line for _, lines, _ in observer.segments for line in lines).decode()
    assert "person:" in sent
    assert ALICE not in sent
    assert BOB not in sent


async def test_a_person_has_one_pseudonym_also_after_a_restart(log: MemoryStore, names: MemoryStore) -> None:
    await written(log, names, 1)
    await written(log, names, 2)

    assert len(names.objects) == 2
    pseudonyms = {record.block["actor"] for record in log_of(log.objects) if record.subject != "main"}
    assert len(pseudonyms) == 1


async def test_a_restart_tells_nothing_twice(log: MemoryStore, names: MemoryStore) -> None:
    await written(log, names, 1)
    await written(log, names, 1, 2)

    assert len(told_once(log.objects)) == 2


async def test_what_was_announced_is_read_back_with_its_names(log: MemoryStore, names: MemoryStore) -> None:
    intended = a_record(event="grant.intended", story=a_story("uid-7"))
    first = a_trail(log, observer := Observer(), people=People(names, LoopClock()))
    first.submit([intended])
    async with running(first):
        await until(observer, lambda: first.receipt(intended.id) is not None)

    second = a_trail(log, people=People(names, LoopClock()))
    await second.open()

    assert second.intent("uid-7") == cut(intended)


async def test_a_name_is_kept_before_its_pseudonym_is_written(log: MemoryStore, names: MemoryStore) -> None:
    """Otherwise a crash could leave a pseudonym that nobody can ever resolve."""
    away = FailingStore(names, lambda number: number > 1)
    observer = Observer()
    trail = a_trail(log, observer, people=People(away, LoopClock()))
    trail.submit([a_record(1)])
    async with running(trail):
        await until(observer, lambda: "StoreUnavailable" in observer.reasons)
        assert not [record for record in log_of(log.objects) if record.subject != "main"]
        away.fails = lambda number: False
        await until(observer, lambda: trail.receipt(a_record(1).id) is not None)

    assert len(told_once(log.objects)) == 1


async def test_another_writer_is_understood(log: MemoryStore, names: MemoryStore) -> None:
    """What a second operator appends is known to the first with its names."""
    observer = Observer()
    first = a_trail(log, observer, people=People(names, LoopClock()))
    async with running(first):
        await until(observer, lambda: bool(log.objects))
        await written(log, names, 1)
        first.submit([a_record(1), a_record(2)])
        await until(observer, lambda: first.receipt(a_record(2).id) is not None)

    assert len(told_once(log.objects)) == 2


async def test_who_was_forgotten_and_comes_back_is_somebody_else(names: MemoryStore) -> None:
    clock = Clock()
    people = People(names, clock)
    [before] = await people.hide([a_record(1)])
    del names.objects[object_name(BOB)]

    clock.on(FRESH)
    [after] = await people.hide([a_record(1)])

    assert before.block["actor"] != after.block["actor"]
    assert before.block["story"]["requester"] == after.block["story"]["requester"]


async def test_two_operators_that_meet_somebody_at_once_agree(names: MemoryStore) -> None:
    first = People(FailingStore(names, lambda number: number == 3, When.AFTER), LoopClock())
    with pytest.raises(StoreUnavailable):
        await first.hide([a_record(1)])  # an answer is lost: the key is there, and whose it is, is not known
    assert names.objects

    [told] = await People(names, LoopClock()).hide([a_record(1)])
    [again] = await first.hide([a_record(1)])

    assert told == again


async def test_whoever_is_second_takes_the_key_of_the_first(names: MemoryStore) -> None:
    both = [People(names, LoopClock()) for _ in range(2)]

    [told], [again] = await asyncio.gather(*(people.hide([a_record(1)]) for people in both))

    assert told == again
    assert len(names.objects) == 2


async def test_what_is_no_key_is_said_with_its_place(names: MemoryStore) -> None:
    names.objects[object_name(BOB)] = json.dumps({"schema": "curfew.person/v1", "name": BOB, "key": "AAAA"}).encode()

    with pytest.raises(StoreUnavailable, match=r"people/[0-9a-f]{64}\.json .* 32 bytes, not 3.*Restore it"):
        await People(names, LoopClock()).hide([a_record(1)])


async def test_everybody_can_be_listed(names: MemoryStore) -> None:
    people = People(names, LoopClock())
    await people.hide([a_record(1)])

    known = await people.by_pseudonym()

    assert {person.name for person in known.values()} == {ALICE, BOB}
    assert await people.find(ALICE) in known.values()
    assert await people.find("carol@example.com") is None
    assert all(isinstance(person, Person) for person in known.values())


async def test_whoever_comes_often_reads_the_names_once_and_again_for_a_new_one(names: MemoryStore) -> None:
    class Counting(MemoryStore):
        lists = 0

        async def list(self, *args: Any, **options: Any) -> Sequence[str]:
            self.lists += 1
            return await super().list(*args, **options)

    clock, store = Clock(), Counting(names.objects)
    people, writer = People(store, clock), People(names, clock)
    (first,) = await writer.hide([a_record(1)])
    assert [record.message for record in await people.reveal_often([first])] == [a_record(1).message]
    await people.reveal_often([first])
    assert store.lists == 1
    (second,) = await writer.hide([a_record(2, story=Story("u", "payments", "inc", requester="carol@example.com"))])
    (shown,) = await people.reveal_often([second])
    assert Story.of(shown).requester == "carol@example.com"
    assert store.lists == 2
    clock.on(FRESH)
    await people.reveal_often([first])
    assert store.lists == 3
