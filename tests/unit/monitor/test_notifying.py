"""Everything that is to be told is told, or counted as given up; and nothing waits for a receiver."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from curfew.audit.record import Record
from curfew.core.notifications.message import Message
from curfew.core.notifications.records import MOST_NAMED
from curfew.ports.notifier import NotSent
from curfew.processes.monitor.outgoing import KEEP, MOST_WAITING, STORM
from tests.support.builders import NOON
from tests.support.messages import a_told_record
from tests.support.notifying import Desk, Receiver

pytestmark = pytest.mark.looptime(start=0)


async def test_what_is_told_is_recorded() -> None:
    receiver = Receiver()
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a")
        await asyncio.sleep(0.1)

    assert receiver.uids == ["a"]
    (record,) = desk.events("notification.sent")
    detail = record.block["detail"]
    assert (detail["event"], detail["route"], detail["number"], detail["channel"]) == ("RequestPending", "r", 0, "JSON")
    assert (detail["count"], detail["attempts"]) == (1, 1)
    assert desk.numbers.counts == {"Sent": 1}


async def test_the_same_record_is_told_once() -> None:
    receiver = Receiver()
    desk = Desk(receiver)
    async with desk.running():
        for _ in range(3):
            desk.asks("a", NOON)
            await asyncio.sleep(1)

    assert receiver.uids == ["a"]


async def test_an_outage_of_ten_minutes_loses_nothing() -> None:
    receiver = Receiver()
    desk = Desk(receiver)
    async with desk.running():
        receiver.fails["r"] = NotSent("The receiver answered 500.")
        for number in range(5):
            desk.asks(f"u{number}")
            await asyncio.sleep(60)
        await asyncio.sleep(300)
        assert receiver.got == []
        assert len(receiver.tried) < 20
        del receiver.fails["r"]
        await asyncio.sleep(61)

    assert receiver.uids == [f"u{number}" for number in range(5)]
    assert desk.events("notification.dropped") == []
    assert sum(record.block["detail"]["count"] for record in desk.events("notification.sent")) == 5


async def test_it_is_tried_again_less_and_less_often() -> None:
    receiver = Receiver(fails={"r": NotSent("no")})
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a")
        await asyncio.sleep(200)

    pauses = [round(later - earlier) for earlier, later in zip(receiver.tried, receiver.tried[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_receiver_that_wants_to_be_left_alone_is() -> None:
    receiver = Receiver(fails={"r": NotSent("The receiver answered 429.", retry_after=300.0)})
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a")
        await asyncio.sleep(299)
        assert len(receiver.tried) == 1
        del receiver.fails["r"]
        await asyncio.sleep(2)

    assert receiver.uids == ["a"]
    assert desk.events("notification.sent")[0].block["detail"]["attempts"] == 2


async def test_what_nobody_takes_for_an_hour_is_given_up_with_its_number() -> None:
    receiver = Receiver(fails={"r": NotSent("The receiver answered 500.")})
    desk = Desk(receiver)
    async with desk.running():
        for number in range(3):
            desk.asks(f"u{number}")
        await asyncio.sleep(KEEP.total_seconds() + 62)
        del receiver.fails["r"]
        desk.asks("later")
        await asyncio.sleep(61)

    assert receiver.uids == ["later"]
    (record,) = desk.events("notification.dropped")
    assert record.block["detail"]["count"] == 3
    assert record.message.endswith("The receiver did not take it for an hour.")
    assert desk.numbers.counts["Dropped"] == 3


async def test_what_will_never_be_taken_is_given_up_at_once() -> None:
    receiver = Receiver(fails={"r": NotSent("The receiver answered 413.", is_final=True)})
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a")
        await asyncio.sleep(0.1)
        del receiver.fails["r"]
        desk.asks("b")
        await asyncio.sleep(0.1)

    assert receiver.uids == ["b"]
    assert [record.block["detail"]["why"] for record in desk.events("notification.dropped")] == [
        "The receiver answered 413."
    ]


async def test_in_a_storm_they_come_together_and_none_is_missing() -> None:
    receiver = Receiver(per_minute=20)
    desk = Desk(receiver)
    uids = [f"u{number}" for number in range(300)]
    async with desk.running():
        for uid in uids:
            desk.asks(uid)
        await asyncio.sleep(30)

    assert receiver.uids == uids
    assert len(receiver.got) <= 3
    assert len(receiver.got[0][2]) >= STORM
    assert desk.numbers.counts["Sent"] == 300


async def test_a_few_come_one_by_one() -> None:
    receiver = Receiver(per_minute=20)
    desk = Desk(receiver)
    async with desk.running():
        for number in range(STORM - 1):
            desk.asks(f"u{number}")
        await asyncio.sleep(0.5)

    assert [len(uids) for _, _, uids in receiver.got] == [1] * (STORM - 1)


async def test_not_more_than_the_route_allows() -> None:
    receiver = Receiver(per_minute=6)
    desk = Desk(receiver)
    async with desk.running():
        for number in range(120):
            desk.asks(f"u{number}")
            await asyncio.sleep(5)
        await asyncio.sleep(60)

    assert len(receiver.uids) == 120
    assert len(receiver.got) <= 6 + 11 * 6


async def test_mail_to_one_person_is_never_put_together() -> None:
    receiver = Receiver(per_minute=60, is_personal=True)
    desk = Desk(receiver)
    async with desk.running():
        for number in range(50):
            desk.asks(f"u{number}")
        await asyncio.sleep(60)

    assert [len(uids) for _, _, uids in receiver.got] == [1] * 50


async def test_more_than_are_kept_are_given_up_for_newer_ones_with_their_number() -> None:
    hang = asyncio.Event()
    receiver = Receiver(hangs={"r": hang})
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("first")
        await asyncio.sleep(0.1)
        for number in range(MOST_WAITING + 600):
            desk.asks(f"u{number}")
        hang.set()
        await asyncio.sleep(10)

    assert receiver.uids == ["first", *(f"u{number}" for number in range(600, MOST_WAITING + 600))]
    counts = [record.block["detail"]["count"] for record in desk.events("notification.dropped")]
    assert counts == [MOST_NAMED, 600 - MOST_NAMED]
    assert len({record.id for record in desk.log}) == len(desk.log)


async def test_no_flood_drives_out_a_grave_message() -> None:
    hang = asyncio.Event()
    receiver = Receiver(hangs={"r": hang})
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("first")
        await asyncio.sleep(0.1)
        desk.notifying.learn(a_told_record("review.overdue", uid="grave", request="grave", at=desk.clock.now()))
        for number in range(MOST_WAITING + 10):
            desk.asks(f"u{number}")
        hang.set()
        await asyncio.sleep(10)

    assert "grave" in receiver.uids
    assert "u10" not in receiver.uids
    assert "u11" in receiver.uids


async def test_a_channel_that_hangs_holds_up_no_other() -> None:
    hang = asyncio.Event()
    receiver = Receiver(names=("bad", "good"), hangs={"bad": hang})
    desk = Desk(receiver)
    async with desk.running():
        for number in range(5):
            desk.asks(f"u{number}")
            await asyncio.sleep(1)
        assert [(route, uids) for _, route, uids in receiver.got] == [("good", [f"u{number}"]) for number in range(5)]
        assert desk.numbers.waiting == 5
        hang.set()
        await asyncio.sleep(1)

    assert len(receiver.got) == 10


# --- the start, and the end ---------------------------------------------------------------------------------------------


async def test_after_a_restart_what_is_owed_is_told_and_nothing_else() -> None:
    log: list[Record] = []
    receiver = Receiver()
    desk = Desk(receiver, log)
    async with desk.running():
        desk.asks("told", NOON)
        await asyncio.sleep(0.1)

    receiver.is_new = True
    again = Desk(receiver, log)
    again.asks("told", NOON)
    again.asks("owed", NOON - timedelta(minutes=59))
    again.asks("old", NOON - timedelta(minutes=61))
    async with again.running():
        await asyncio.sleep(0.1)

    assert receiver.uids == ["told", "owed"]


async def test_what_was_given_up_is_not_tried_after_a_restart() -> None:
    log: list[Record] = []
    receiver = Receiver(fails={"r": NotSent("no", is_final=True)})
    desk = Desk(receiver, log)
    async with desk.running():
        desk.asks("a", NOON)
        await asyncio.sleep(0.1)
    receiver.fails.clear()

    receiver.is_new = True
    again = Desk(receiver, log)
    again.asks("a", NOON)
    async with again.running():
        await asyncio.sleep(0.1)

    assert receiver.uids == []


async def test_what_a_bucket_brings_late_is_told_all_the_same() -> None:
    receiver = Receiver()
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a", NOON - timedelta(hours=3))
        await asyncio.sleep(0.1)

    assert receiver.uids == ["a"]


async def test_the_reminder_comes_five_minutes_before_the_end_also_after_a_restart() -> None:
    receiver = Receiver()
    desk = Desk(receiver)
    activated = a_told_record(
        "grant.activated", uid="a", at=NOON - timedelta(hours=2), expires_at=NOON + timedelta(hours=1)
    )
    desk.notifying.learn(activated)
    async with desk.running():
        await asyncio.sleep(54 * 60)
        assert receiver.got == []
        await asyncio.sleep(62)

    assert receiver.uids == ["a"]
    assert desk.events("notification.sent")[0].block["detail"]["event"] == "GrantEnding"


async def test_without_routes_messages_wait_for_them() -> None:
    receiver = Receiver(trouble="The file cannot be read.", is_new=False)
    desk = Desk(receiver)
    async with desk.running():
        desk.asks("a")
        await asyncio.sleep(5)
        assert receiver.got == []
        assert (desk.numbers.ok, desk.notifying.trouble) == (False, "The file cannot be read.")
        receiver.trouble, receiver.is_new = "", True
        await asyncio.sleep(10)

    assert receiver.uids == ["a"]
    assert desk.numbers.ok


async def test_the_end_waits_a_little_for_what_is_on_its_way_and_not_for_a_receiver_that_hangs() -> None:
    hang = asyncio.Event()
    receiver = Receiver(hangs={"r": hang})
    desk = Desk(receiver)
    loop = asyncio.get_running_loop()
    async with desk.running():
        await desk.notifying.close()
        desk.asks("a")
        await asyncio.sleep(0.1)
        began = loop.time()
        loop.call_later(1, hang.set)
        await desk.notifying.close()
        assert loop.time() - began == pytest.approx(1, abs=0.2)
        assert len(desk.events("notification.sent")) == 1

        hang.clear()
        desk.asks("b")
        await asyncio.sleep(0.1)
        began = loop.time()
        await desk.notifying.close()
        assert loop.time() - began == pytest.approx(3, abs=0.2)


async def test_with_nobody_to_tell_nothing_is_kept() -> None:
    desk = Desk(None)
    async with desk.running():
        desk.asks("a")
        desk.notifying.alert(a_told_record())

    assert (desk.log, desk.notifying.trouble) == ([], "")
    assert desk.numbers.ok


async def test_a_record_that_nobody_can_read_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    desk = Desk(receiver)

    def broken(record: Record) -> Sequence[Message]:
        raise RuntimeError("a defect")

    async with desk.running():
        with monkeypatch.context() as patch:
            patch.setattr(desk.notifying._desk, "learn", broken)
            desk.asks("a")
        desk.asks("b")
        await asyncio.sleep(0.1)

    assert receiver.uids == ["b"]
