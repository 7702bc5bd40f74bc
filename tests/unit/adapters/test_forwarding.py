"""Records are sent on in order and at least once, or given up and counted; the log's own course never waits for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from curfew.adapters.clock import SystemClock
from curfew.adapters.forwarding import Forwarded, Forwarder, forwarder, open_sink
from curfew.adapters.forwarding.sinks import HttpCollector, SinkUnavailable, StandardOutput
from curfew.audit.record import Record
from curfew.settings.audit import ForwardSettings
from tests.support.trail import LOG, START, LoopClock, a_record, records


@dataclass
class Counts:
    """Counts, and notes when it did."""

    sent: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def forwarded(self, records: int) -> None:
        """Count what was sent."""
        self.sent += records
        self.moved.set()

    def not_forwarded(self, records: int, reason: str) -> None:
        """Count what was not."""
        self.lost[reason] = self.lost.get(reason, 0) + records
        self.moved.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when something holds that changes when something is counted."""
        async with asyncio.timeout(20):
            while not holds():
                self.moved.clear()
                await self.moved.wait()


@dataclass
class Collector:
    """A real HTTP server that does as it is told with each batch: an answer's status, or a wait before it."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _: 200
    text: str = ""
    held: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        """Answer a POST."""
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        return web.Response(status=self.answer(len(self.bodies)), text=self.text, headers={"Location": "/elsewhere"})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen, at the same port each time, and return the address."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/events", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            self.port = runner.addresses[0][1]
            yield f"http://127.0.0.1:{self.port}/events"
        finally:
            await runner.cleanup()

    def events(self) -> list[dict[str, Any]]:
        """Return all CloudEvents that came."""
        return [event for body in self.bodies for event in json.loads(body)]


@asynccontextmanager
async def forwarding(sink: Any, counts: Counts | None = None, **changes: Any) -> AsyncIterator[Forwarder]:
    """Run a forwarder as long as the block."""
    made = Forwarder(sink, SystemClock(), LOG, counts or Counts(), jitter=lambda: 0.0, **changes)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long between two tries."""
    monkeypatch.setattr(forwarder, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(forwarder, "LONGEST_PAUSE", 0.05)


def waiting(record: Record, index: int) -> Forwarded:
    """Return a record that waits."""
    return Forwarded(LOG, index, record.line(), START)


def lines(first: int, last: int) -> list[bytes]:
    """Return the records of these numbers, both included, as lines of the log."""
    return [record.line() for record in records(first, last)]


# --- the forms ---------------------------------------------------------------------------------------------------------


async def test_a_collector_gets_cloudevents_that_hold_the_records() -> None:
    collector, counts = Collector(), Counts()
    async with (
        collector.listening() as url,
        forwarding(open_sink(ForwardSettings(url=url)), counts) as forwarder,
    ):
        forwarder.appended(41, lines(1, 3))
        await counts.until(lambda: counts.sent == 3)

    assert collector.headers[0]["Content-Type"] == "application/cloudevents-batch+json"
    first, *_ = events = collector.events()
    assert first == {
        "specversion": "1.0",
        "id": a_record(1).id,
        "source": "curfew.dev/log/main",
        "type": "dev.curfew.review.submitted",
        "subject": "uid-0001",
        "time": "2026-11-24T12:00:00Z",
        "datacontenttype": "application/json",
        "sequence": "0000000000000041",
        "data": a_record(1).body,
    }
    assert [event["data"] for event in events] == [record.body for record in records(1, 3)]
    assert a_record(1).line() in collector.bodies[0]


async def test_a_collector_gets_otlp_that_holds_the_lines_of_the_log() -> None:
    collector, counts = Collector(), Counts()
    alarm = a_record(2, event="grant.drifted", success=False)
    async with (
        collector.listening() as url,
        forwarding(open_sink(ForwardSettings(url=url, format="otlp")), counts) as forwarder,
    ):
        forwarder.appended(7, [a_record(1).line(), alarm.line()])
        await counts.until(lambda: counts.sent == 2)

    assert collector.headers[0]["Content-Type"] == "application/json"
    (resource,) = json.loads(collector.bodies[0])["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    one, other = scope["logRecords"]
    assert one["body"] == {"stringValue": a_record(1).line().decode()}
    assert one["timeUnixNano"] == str(int(START.timestamp()) * 10**9)
    assert (one["severityText"], other["severityText"], other["severityNumber"]) == ("INFO", "ERROR", 17)
    assert other["eventName"] == "dev.curfew.grant.drifted"
    attributes = {attribute["key"]: attribute["value"] for attribute in other["attributes"]}
    assert attributes["curfew.index"] == {"intValue": "8"}
    assert attributes["curfew.id"] == {"stringValue": alarm.id}


async def test_what_otlp_says_it_did_not_take_is_counted() -> None:
    collector, counts = Collector(text='{"partialSuccess": {"rejectedLogRecords": "2"}}'), Counts()
    async with collector.listening() as url, forwarding(HttpCollector(url, "otlp"), counts) as forwarder:
        forwarder.appended(0, lines(1, 5))
        await counts.until(lambda: counts.sent == 3)

    assert counts.lost == {"Refused": 2}


async def test_standard_output_gets_a_line_for_each_record_that_is_no_log_line() -> None:
    written: list[bytes] = []
    counts = Counts()
    async with forwarding(StandardOutput(written.append), counts) as forwarder:
        forwarder.appended(5, lines(1, 2))
        await counts.until(lambda: counts.sent == 2)

    assert [json.loads(line) for line in b"".join(written).splitlines()] == [
        {"curfew": "audit", "log": LOG, "index": 5, "record": a_record(1).body},
        {"curfew": "audit", "log": LOG, "index": 6, "record": a_record(2).body},
    ]


def test_the_settings_say_where_to() -> None:
    assert isinstance(open_sink(ForwardSettings(stdout=True)), StandardOutput)
    assert isinstance(open_sink(ForwardSettings(url="https://c/x")), HttpCollector)


# --- a collector that is not well --------------------------------------------------------------------------------------


async def test_a_collector_that_is_away_gets_all_of_it_later() -> None:
    collector, counts = Collector(), Counts()
    async with collector.listening() as url:
        pass
    with capture_logs() as logs:
        async with forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
            forwarder.appended(0, lines(1, 3))
            await asyncio.sleep(0.05)
            forwarder.appended(3, lines(4, 5))
            assert (counts.sent, forwarder.waiting) == (0, 5)
            assert forwarder.lag > timedelta(0)
            async with collector.listening():
                await counts.until(lambda: counts.sent == 5)
            assert (forwarder.waiting, forwarder.lag) == (0, timedelta(0))

    assert [int(event["sequence"]) for event in collector.events()] == list(range(5))
    said = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["problem"] for entry in said] == [
        f"The collector 127.0.0.1:{collector.port} cannot be reached: Connection refused."
    ]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
async def test_a_collector_that_refuses_for_a_while_gets_all_of_it_later(status: int) -> None:
    collector, counts = Collector(answer=lambda call: status if call < 4 else 202), Counts()
    async with collector.listening() as url, forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
        forwarder.appended(0, lines(1, 3))
        await counts.until(lambda: counts.sent == 3)

    assert len(collector.bodies) == 4
    assert counts.lost == {}


async def test_a_collector_that_is_slow_keeps_nobody_waiting() -> None:
    collector, counts = Collector(held=asyncio.Event()), Counts()
    assert collector.held is not None
    async with collector.listening() as url, forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
        forwarder.appended(0, lines(1, 1))
        await collector.asked.wait()
        for number in range(2, 200):
            forwarder.appended(number, lines(number, number))
        assert (counts.sent, forwarder.waiting) == (0, 199)
        collector.held.set()
        await counts.until(lambda: counts.sent == 199)

    assert len(collector.bodies) == 2


async def test_a_collector_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curfew.adapters.forwarding.sinks.DEADLINE", 0.05)
    collector = Collector(held=asyncio.Event())
    assert collector.held is not None
    async with collector.listening() as url:
        sink = HttpCollector(url, "cloudevents")
        with pytest.raises(SinkUnavailable, match=r"it has not answered within 0\.05 s"):
            await sink.send([waiting(a_record(1), 0)])
        await sink.close()
        collector.held.set()


async def test_only_the_record_that_is_refused_is_lost() -> None:
    poison = a_record(5).line()
    collector, counts = Collector(), Counts()
    collector.answer = lambda call: 400 if poison in collector.bodies[call - 1] else 200
    async with collector.listening() as url, forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
        forwarder.appended(0, lines(1, 8))
        await counts.until(lambda: counts.sent == 7)

    assert counts.lost == {"Refused": 1}


async def test_where_too_much_waits_the_oldest_give_way_and_are_counted() -> None:
    room = 5 * len(a_record(10).line())
    collector, counts = Collector(), Counts()
    async with collector.listening() as url:
        pass
    async with forwarding(HttpCollector(url, "cloudevents"), counts, capacity=room) as forwarder:
        forwarder.appended(0, lines(10, 29))
        assert (forwarder.waiting, counts.lost) == (5, {"QueueFull": 15})
        async with collector.listening():
            await counts.until(lambda: counts.sent == 5)

    assert [int(event["sequence"]) for event in collector.events()] == list(range(15, 20))


async def test_large_records_are_sent_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "BYTES_AT_ONCE", 2 * len(a_record(10).line()))
    collector, counts = Collector(), Counts()
    huge = a_record(99, detail={"text": "x" * 3_000_000})
    async with collector.listening() as url, forwarding(HttpCollector(url, "cloudevents"), counts) as forwarding_:
        forwarding_.appended(0, [*lines(10, 14), huge.line()])
        await counts.until(lambda: counts.sent == 6)

    assert [len(json.loads(body)) for body in collector.bodies] == [2, 2, 1, 1]


async def test_at_the_end_what_waits_gets_a_last_chance_and_no_more() -> None:
    collector, counts = Collector(), Counts()
    async with collector.listening() as url, forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
        forwarder.appended(0, lines(1, 3))
        await forwarder.drain()
        assert counts.sent == 3
    async with forwarding(HttpCollector(url, "cloudevents"), counts) as forwarder:
        forwarder.appended(3, lines(4, 4))
        await forwarder.drain(timedelta(milliseconds=20))
        assert (counts.sent, forwarder.waiting) == (3, 1)


class Deaf:
    """Takes nothing and never answers."""

    async def send(self, batch: Sequence[Forwarded]) -> int:
        """Wait for ever."""
        await asyncio.Event().wait()
        return len(batch)

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.looptime
async def test_the_lag_is_the_age_of_the_oldest_that_waits() -> None:
    made = Forwarder(Deaf(), LoopClock(), LOG, Counts())
    assert made.lag == timedelta(0)
    made.appended(0, lines(1, 1))
    await asyncio.sleep(40)
    made.appended(1, lines(2, 2))

    assert made.lag == timedelta(seconds=40)


# --- credentials -------------------------------------------------------------------------------------------------------


async def test_credentials_come_from_a_file_and_may_be_exchanged(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer s3cr3t\n\nX-Tenant:  payments \n")
    collector, counts = Collector(), Counts()
    async with collector.listening() as url, forwarding(HttpCollector(url, "otlp", headers), counts) as forwarder:
        forwarder.appended(0, lines(1, 1))
        await counts.until(lambda: counts.sent == 1)
        headers.write_text("Authorization: Bearer n3w\n")
        forwarder.appended(1, lines(2, 2))
        await counts.until(lambda: counts.sent == 2)

    assert [sent["Authorization"] for sent in collector.headers] == ["Bearer s3cr3t", "Bearer n3w"]
    assert collector.headers[0]["X-Tenant"] == "payments"
    assert collector.headers[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize("content", [None, b"Bearer s3cr3t\n", b"Authorization s3cr3t", b"\xff s3cr3t", b"A: s3cr3t\0"])
async def test_a_file_of_credentials_that_is_wrong_is_told_without_what_is_in_it(
    tmp_path: Path, content: bytes | None
) -> None:
    headers = tmp_path / "headers"
    if content is not None:
        headers.write_bytes(content)

    with pytest.raises(SinkUnavailable) as caught:
        await HttpCollector("https://collector.invalid/x", "otlp", headers).send([waiting(a_record(1), 0)])

    assert str(headers) in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


async def test_credentials_are_not_in_what_is_logged(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer s3cr3t\n")
    collector, counts = Collector(answer=lambda call: (401, 400, 200)[call % 3]), Counts()
    with capture_logs() as logs:
        async with collector.listening() as url, forwarding(HttpCollector(url, "otlp", headers), counts) as forwarder:
            forwarder.appended(0, lines(1, 4))
            await counts.until(lambda: counts.sent + sum(counts.lost.values()) == 4)

    assert logs
    assert "s3cr3t" not in str(logs)


async def test_nobody_is_followed_elsewhere() -> None:
    collector = Collector(answer=lambda _: 307)
    async with collector.listening() as url:
        sink = HttpCollector(url, "cloudevents")
        with pytest.raises(SinkUnavailable, match="answered 307 Temporary Redirect"):
            await sink.send([waiting(a_record(1), 0)])
        await sink.close()

    assert len(collector.bodies) == 1
