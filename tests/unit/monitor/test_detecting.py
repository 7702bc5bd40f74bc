"""The detectors read both logs as one, find each thing once, and report what is durable; killed anywhere, they go on."""

import asyncio
from datetime import datetime, timedelta

import pytest

from curfew.core.detectors.alert import WhichLog
from curfew.processes.monitor.detecting import CHECK_EVERY
from curfew.processes.monitor.reading import LogReader, take_earlier
from tests.support.detecting import OWN, Place, asked, late_use, many
from tests.support.logs import ALog, a_signer, opened
from tests.support.stores import MemoryStore
from tests.support.trail import START

pytestmark = pytest.mark.looptime


async def test_two_logs_are_read_in_the_order_of_time() -> None:
    """Each in its own order; between the two, the earlier record comes first."""
    minutes = [timedelta(minutes=each) for each in range(6)]
    readers, placed = [], ((WhichLog.TRAIL, "main", (0, 3, 2)), (WhichLog.ACTIVITY, OWN, (1, 4)))
    for which, name, order in placed:
        log = ALog(name, a_signer(name))
        log.append([opened(log.signer, name)])
        for each in order:
            log.append([asked(each, START + minutes[each], which)], START + timedelta(hours=1))
        reader = LogReader(MemoryStore(log.objects), name, None, which, None)
        await reader.open(START.date() - timedelta(days=1))
        readers.append(reader)

    taken = []
    while (seen := await take_earlier(readers)) is not None:
        if seen.record.event == "request.accepted":
            taken.append((str(seen.log), (seen.at - START) // timedelta(minutes=1), seen.index))

    assert taken == [("trail", 0, 1), ("activity", 1, 1), ("trail", 3, 2), ("trail", 2, 3), ("activity", 4, 2)]


async def test_a_record_that_is_dated_ahead_holds_back_no_log_and_blinds_no_detector() -> None:
    far, readers = START + timedelta(days=20000), []
    for which, name, dates in ((WhichLog.TRAIL, "main", (far, START)), (WhichLog.ACTIVITY, OWN, (START, START))):
        log = ALog(name, a_signer(name))
        log.append([opened(log.signer, name)], START)
        for number, each in enumerate(dates, 1):
            log.append([asked(number, each, which)], START + timedelta(minutes=number))
        reader = LogReader(MemoryStore(log.objects), name, None, which, None)
        await reader.open(START.date() - timedelta(days=1))
        readers.append(reader)

    taken = []
    while (seen := await take_earlier(readers)) is not None:
        taken.append(seen)

    assert max(seen.at for seen in taken) == START + timedelta(minutes=1)
    assert {str(seen.log) for seen in taken[-2:]} == {"trail"}
    assert len(taken) == 6


async def test_what_lies_before_the_first_start_only_teaches() -> None:
    """A new installation over an old log does not begin with old alerts."""
    place = Place()
    place.grow(*many(START - timedelta(hours=2)), at=START - timedelta(hours=1))

    async with place.monitored() as monitor:
        await asyncio.sleep(10)
        assert monitor.detecting.trouble == ""

    assert place.alerts() == []
    assert len(place.records("detection.checked")) == 1
    assert len(place.records("detection.configured")) == 1


async def test_an_alert_is_recorded_and_reported_once() -> None:
    place = Place()
    async with place.monitored() as monitor:
        await asyncio.sleep(5)
        place.grow(*many(START - timedelta(minutes=10)), at=START + timedelta(seconds=5))
        monitor.detecting.changed()
        await asyncio.sleep(3)

        assert place.alerts() == ["ManyRequests"]
        assert monitor.reasons == ["ManyRequests"]
        assert [(told_.namespace, told_.regarding.kind) for told_ in monitor.events.posted] == [
            ("payments", "Namespace")
        ]
        assert monitor.numbers.alerts == [("ManyRequests", "Medium", False)]
        assert [record.event for record in monitor.notified] == ["alert.raised"]
        assert monitor.detecting.open_by_severity() == {"Low": 0, "Medium": 1, "High": 0, "Critical": 0}

    async with place.monitored(START + timedelta(minutes=5)) as again:
        await asyncio.sleep(5)
        assert place.alerts() == ["ManyRequests"]
        assert again.detecting.open_by_severity()["Medium"] == 1
        # The log does not show that it was reported: it is again, and an Event of that name is there already.
        assert again.events.posted == monitor.events.posted
        await asyncio.sleep(CHECK_EVERY.total_seconds() + 5)

    async with place.monitored(START + timedelta(minutes=20)) as last:
        await asyncio.sleep(5)
        assert last.events.posted == []
        assert last.numbers.alerts == []
        assert len(last.notified) == 1  # notifications may wait for an hour, and know what was sent
    assert place.alerts() == ["ManyRequests"]


async def test_a_report_that_a_kill_prevented_is_made_after_the_start() -> None:
    """However long the process was away."""
    place = Place()
    async with place.monitored(reports=False) as killed:
        await asyncio.sleep(5)
        place.grow(*many(START - timedelta(minutes=10)), at=START + timedelta(seconds=5))
        killed.detecting.changed()
        await asyncio.sleep(3)
        assert place.alerts() == ["ManyRequests"]
        assert killed.events.posted == []

    async with place.monitored(START + timedelta(hours=7)) as monitor:
        await asyncio.sleep(5)
        assert monitor.reasons == ["ManyRequests"]
        assert len(monitor.notified) == 1
    assert place.alerts() == ["ManyRequests"]


async def test_what_happened_while_nobody_looked_is_found() -> None:
    place = Place()
    async with place.monitored():
        await asyncio.sleep(5)
    place.grow(*many(START + timedelta(minutes=30)), at=START + timedelta(minutes=40))

    async with place.monitored(START + timedelta(hours=2)) as monitor:
        await asyncio.sleep(5)
        assert monitor.reasons == ["ManyRequests"]
    assert place.alerts() == ["ManyRequests"]


async def test_nothing_counts_as_looked_at_while_a_report_waits() -> None:
    """A kill would lose it."""
    place = Place()
    async with place.monitored() as monitor:
        await asyncio.sleep(5)
        monitor.events.is_idle = False
        await asyncio.sleep(3 * CHECK_EVERY.total_seconds())
        assert len(place.records("detection.checked")) == 1
        monitor.events.is_idle = True
        await asyncio.sleep(5)
        assert len(place.records("detection.checked")) == 2


async def test_alerts_of_calls_are_reported_too() -> None:
    """They have records of their own, in a form that is older than the detectors."""
    place = Place()
    async with place.monitored() as monitor:
        await asyncio.sleep(5)
        monitor.log.submit([late_use(START)])
        await asyncio.sleep(3)

        assert monitor.reasons == ["UsedAfterEnd"]
        assert monitor.events.posted[0].regarding.name == "inc-late"
        assert monitor.numbers.alerts == [("UsedAfterEnd", "High", False)]


async def test_a_log_that_cannot_be_read_is_waited_for() -> None:
    place = Place()
    place.trail.is_away = True
    async with place.monitored() as monitor:
        await asyncio.sleep(10)
        assert monitor.detecting.trouble == "the bucket is away."
        monitor.log.submit([late_use(START)])
        await asyncio.sleep(3)
        assert monitor.reasons == ["UsedAfterEnd"]  # it needs no detector

        place.trail.is_away = False
        await asyncio.sleep(5)
        assert monitor.detecting.trouble == ""

        place.trail.is_away = True
        await asyncio.sleep(5)
        assert monitor.detecting.trouble == "the bucket is away."
        assert monitor.numbers.ok[-1] is False


async def test_a_defect_that_ends_the_detectors_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    async with place.monitored() as monitor:
        await monitor.detecting.has_begun.wait()
        assert monitor.detecting.trouble == ""
        monkeypatch.setattr(monitor.detecting.engine, "take", lambda: 1 / 0)
        await asyncio.sleep(5)

        assert "ZeroDivisionError" in monitor.detecting.trouble
        assert not monitor.numbers.ok[-1]


async def test_a_log_that_does_not_exist_yet_is_waited_for() -> None:
    """At a first installation, the operator may be later than the monitor."""
    place = Place()
    objects, place.trail.objects = place.trail.objects, {}
    async with place.monitored() as monitor:
        await asyncio.sleep(5)
        assert monitor.detecting.trouble.startswith("There is no log at")
        place.trail.objects = objects
        await asyncio.sleep(5)
        assert monitor.detecting.trouble == ""


async def test_other_settings_are_recorded() -> None:
    place = Place()
    for start, settings in ((0, {}), (1, {}), (2, {"ManyRequests": {"enabled": False}})):
        async with place.monitored(START + timedelta(hours=start), settings=settings):
            await asyncio.sleep(5)

    configured = [record.block["detail"] for record in place.records("detection.configured")]

    assert [("ManyRequests" in detail["off"], detail["changed"]) for detail in configured] == [
        (False, []),
        (True, ["ManyRequests"]),
    ]


async def test_an_orderly_end_settles_what_was_looked_at() -> None:
    place = Place()
    async with place.monitored() as monitor:
        await asyncio.sleep(CHECK_EVERY.total_seconds() / 2)
        monitor.detecting.settle()
        await monitor.log.close()

    assert len(place.records("detection.checked")) == 2


async def test_others_have_their_turn_while_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audit events are taken while the logs are read back: no slice of the work is followed by another at once."""
    monkeypatch.setattr("curfew.processes.monitor.detecting.SLICE_SECONDS", 0.0)
    place, turns = Place(), 0
    place.grow(*many(START - timedelta(hours=2), 500), at=START - timedelta(hours=1))

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with place.monitored() as monitor:
        counting = asyncio.create_task(count())
        await monitor.detecting.has_begun.wait()
        counting.cancel()

    assert turns >= 500


async def test_what_is_due_is_looked_for_while_more_and_more_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a flood, the end of a log may never be reached."""
    place, looks = Place(), 0
    async with place.monitored() as monitor:
        await asyncio.sleep(5)
        look = monitor.detecting.engine.look

        def count(now: datetime) -> None:
            nonlocal looks
            looks += 1
            look(now)

        monkeypatch.setattr(monitor.detecting.engine, "look", count)
        monkeypatch.setattr("curfew.processes.monitor.detecting.LEARN_SECONDS", 0.0)
        place.grow(*many(START - timedelta(minutes=50), 50), at=START + timedelta(seconds=5))
        monitor.detecting.changed()
        await asyncio.sleep(0.5)

    assert looks >= 50
    assert place.alerts() == ["ManyRequests"]
