"""How many audit events a monitor on one core takes, in how much memory, and what it does when there are more.

The floor is to parse the same bodies with orjson: whoever reads them cannot do less. What is sent is compared with what the
log holds in the end, so that nothing can have been lost.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.feed import BATCH, AuditEvents
from bench.figures import Figure, at_least, at_most
from bench.grants import LOG, granted
from bench.plan import Plan
from bench.process import Failed, most_held_by, on_cores, taken_by
from bench.sending import Sender, flood_of, sending
from curfew.core.activity.session import Session
from tools.running import CurfewProcess
from tools.servers.audit import AuditFeed
from tools.servers.pki import write_private
from tools.servers.ports import LOOPBACK
from tools.servers.processes import clean_environ

ABOUT = "take 2,000 audit events a second, and more; 2 minutes"
RATE: Final = 2_000
SHARE: Final = 0.05
"""How many of the events are calls under grants."""

GRANTS: Final = 100
TICK: Final = 0.01
"""Seconds: how exactly the kernel counts a process's time."""

MINUTE: Final = 3.0
"""How often the plan's seconds are in the time that the rate is kept up: a minute by default."""


@dataclass(frozen=True, slots=True)
class _Sent:
    events: int
    attributed: int
    taken: float  # seconds of a processor's time that the monitor took
    floor: float  # seconds that parsing took
    wall: float  # seconds


def measure(plan: Plan) -> Iterator[Figure]:
    """Send at an even pace, then as fast as it goes, and look whether the monitor is still well."""
    sessions = granted(plan.folder / "trail", GRANTS, datetime.now(UTC))
    feed = AuditFeed(plan.folder / "feed")
    monitor = _monitor(plan.folder, feed)
    try:
        with on_cores(1):
            monitor.start()
        monitor.await_part("log", "takes records")
        yield from asyncio.run(_measure(plan, monitor, feed, sessions))
    finally:
        monitor.stop()
        feed.close()


async def _measure(
    plan: Plan, monitor: CurfewProcess, feed: AuditFeed, sessions: Sequence[Session]
) -> Sequence[Figure]:
    seconds, pid, log = plan.seconds * MINUTE, monitor.server.pid, plan.folder / "activity"
    async with sending(feed.port, feed.ca, feed.token.read_text()) as sender:
        with plan.progress(f"sending {RATE:,} audit events a second for {seconds:.0f} s"):
            sent = await _pace(sender, monitor, AuditEvents(sessions, SHARE), seconds)
        if sender.answers.keys() != {200}:
            raise Failed(f"the monitor did not take each batch at once; its answers: {dict(sender.answers)}")
        held, recorded = most_held_by(pid), _events(log)
        calls = sum(event.startswith("call.") for event in recorded)
        if calls != sent.attributed:
            raise Failed(f"{sent.attributed} calls under grants were sent, and the log holds {calls}")
        if "coverage.lost" in recorded:
            raise Failed("the monitor reports a hole in a feed that had none")
        sender.answers.clear()
        bodies = flood_of(AuditEvents(sessions, SHARE, seed=2))
        with plan.progress(f"sending as fast as it goes for {plan.seconds:.0f} s"):
            began, used = time.perf_counter(), taken_by(pid)
            await sender.flood(bodies, plan.seconds)
            used, flooded = max(taken_by(pid) - used, TICK), time.perf_counter() - began
        answers = dict(sender.answers)
        if not await sender.insist(AuditEvents(sessions, SHARE, seed=3).body(BATCH, datetime.now(UTC))[0]):
            raise Failed("after the flood, the monitor takes no batch any more")
    if answers.get(429) and "coverage.lost" not in _events(log):
        raise Failed("the monitor refused batches, and its log shows no hole")
    return [
        Figure(
            "intake",
            f"a core's time at {RATE:,} events a second",
            100 * sent.taken / sent.wall,
            "%",
            f"{sent.events:,} events in {sent.wall:.0f} s, {sent.attributed:,} under grants, all of these recorded",
            at_most(50),
        ),
        Figure(
            "intake",
            "events in a second of a core's time",
            sent.events / sent.taken,
            "/s",
            f"parsing the same bodies with orjson: {sent.events / sent.floor:,.0f}/s",
            at_least(2 * RATE),
        ),
        Figure(
            "intake",
            "time for an event",
            sent.taken / sent.floor,
            "times",
            f"orjson: {1e6 * sent.floor / sent.events:.1f} µs, the monitor: {1e6 * sent.taken / sent.events:.0f} µs",
            at_most(20),
        ),
        Figure("intake", "memory at that rate", held / 1e6, "MB", f"{BATCH} events in a batch", at_most(200)),
        Figure(
            "intake",
            "the same when more come than it can take",
            answers.get(200, 0) * BATCH / used,
            "/s",
            f"answers: {answers}, in {used / flooded:.0%} of a core; where it refused, its log shows a hole; it goes on",
        ),
        Figure(
            "intake", "memory then", most_held_by(pid) / 1e6, "MB", f"at {RATE:,}/s: {held / 1e6:.0f} MB", at_most(300)
        ),
    ]


async def _pace(sender: Sender, monitor: CurfewProcess, events: AuditEvents, seconds: float) -> _Sent:
    """Send batches at an even pace, as an API server does: it does not wait for the answer to one before it sends another."""
    loop = asyncio.get_running_loop()
    pid, every, floor = monitor.server.pid, BATCH / RATE, 0.0
    attributed, under_way = 0, []
    batches = max(3, round(seconds / every))
    before, began = taken_by(pid), loop.time()
    for number in range(batches):
        body, own = events.body(BATCH, datetime.now(UTC))
        attributed += own
        parsing = time.thread_time()
        orjson.loads(body)
        floor += time.thread_time() - parsing
        await asyncio.sleep(began + number * every - loop.time())
        under_way.append(asyncio.create_task(sender.insist(body)))
    if not all(await asyncio.gather(*under_way)):
        raise Failed("the monitor did not take each batch")
    wall = loop.time() - began
    return _Sent(batches * BATCH, attributed, taken_by(pid) - before, floor, wall)


def _monitor(folder: Path, feed: AuditFeed) -> CurfewProcess:
    """Return a monitor that follows the trail in the folder. There is no API server: its test calls fail."""
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    settings: dict[str, Any] = {
        "trail": {"url": f"file://{folder}/trail", "log": LOG},
        "audit": {
            "url": f"file://{folder}/activity",
            "worm": "advisory",
            "keyFile": str(write_private(folder / "activity.pem", key)),
        },
        "intake": {
            "webhook": {
                "host": LOOPBACK,
                "port": feed.port,
                "certFile": str(feed.certificate),
                "keyFile": str(feed.key),
                "tokenFile": str(feed.token),
            }
        },
    }
    monitor = CurfewProcess("monitor", folder, settings, clean_environ())
    nowhere = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "clusters": [{"name": "nowhere", "cluster": {"server": f"http://{LOOPBACK}:9"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    }
    write_private(monitor.kubeconfig, orjson.dumps(nowhere))
    return monitor


def _events(log: Path) -> list[str]:
    """Return the event of each record in a log."""
    lines = (
        line
        for path in sorted(log.rglob("*.zst"))
        for line in zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).splitlines()
    )
    return [body["unmapped"]["curfew"]["event"] for body in map(orjson.loads, lines) if "unmapped" in body]
