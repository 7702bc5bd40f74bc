"""Senders that mean no good, or whose network does not: none stops the others, and none ends the server."""

import asyncio
import os
import random
import resource
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
import structlog

from curfew.ports import IntakeRefusal
from tests.support.intake import TOKEN, Counted, Keys, Taken, until
from tests.support.sending import LIST, Sender, sending_to, serving
from tools.servers.ports import LOOPBACK

HEAD = f"POST /audit/api-1 HTTP/1.1\r\nHost: monitor\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
REQUEST = HEAD + f"Content-Length: {len(LIST)}\r\n\r\n".encode() + LIST
LIMIT = 1.0
"""Seconds that a sender has. Those who mean well have no more, and must not be late if the machine stands still a while."""

STRANGER = b"POST /audit/api-1 HTTP/1.1\r\nHost: monitor\r\n"


@asynccontextmanager
async def connection(
    sender: Sender, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(LOOPBACK, sender.server.port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def crowd(sender: Sender, number: int) -> AsyncIterator[None]:
    """Keep so many connections open that say nothing."""
    with ExitStack() as stack:
        for _ in range(number):
            silent = stack.enter_context(socket.socket())
            silent.setblocking(False)
            await asyncio.get_running_loop().sock_connect(silent, (LOOPBACK, sender.server.port))
        yield


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server ends the connection."""
    async with asyncio.timeout(10):
        with suppress(OSError):
            return await reader.read()
        return b""


async def works(sender: Sender) -> bool:
    """Whether somebody else is served."""
    return (await sender.post("/audit/other"))[0] == 200


async def test_a_connection_that_is_silent_is_ended(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, hello_seconds=LIMIT) as sender:
        async with connection(sender, None) as (reader, _):
            assert await rest(reader) == b""
        assert observer.times(IntakeRefusal.NO_HANDSHAKE) == 1
        async with connection(sender, keys.trusting()) as (reader, _):
            assert await rest(reader) == b""
        await until(lambda: observer.connections[-1] == 0)
        assert await works(sender)


async def test_headers_that_come_a_byte_at_a_time_are_cut_off(keys: Keys, observer: Counted) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        for byte in REQUEST:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.03)  # so all of it takes far longer than is allowed

    sink = Taken()
    async with serving(keys, sink, observer, hello_seconds=LIMIT) as sender:
        async with connection(sender, keys.trusting()) as (reader, writer):
            trickling = asyncio.create_task(trickle(writer))
            assert await rest(reader) == b""
            trickling.cancel()
        assert await works(sender)
    assert b"other" not in sink.text
    assert len(sink.batches) == 1


async def test_headers_of_a_second_request_that_trickle_are_cut_off_too(keys: Keys, observer: Counted) -> None:
    async with (
        serving(keys, Taken(), observer, idle_seconds=0.3) as sender,
        connection(sender, keys.trusting()) as (reader, writer),
    ):
        writer.write(REQUEST + HEAD)
        assert (await rest(reader)).count(b"HTTP/1.1 200 OK") == 1
        await until(lambda: observer.connections[-1] == 0)


async def test_a_body_that_trickles_is_cut_off(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, body_seconds=LIMIT) as sender:
        async with connection(sender, keys.trusting()) as (reader, writer):
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\nx")
            answer = await rest(reader)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive within 1 s" in answer
        assert observer.refusals == {(IntakeRefusal.TOO_SLOW, "api-1"): 1}
        assert observer.held[-1] == 0
        assert await works(sender)


async def test_a_sender_that_is_gone_in_the_middle_of_its_body_leaves_nothing_behind(
    keys: Keys, observer: Counted
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        async with connection(sender, keys.trusting()) as (_, writer):
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 500)
            await until(lambda: observer.held[-1] == 1000)
        await until(lambda: observer.refusals[IntakeRefusal.DISCONNECTED, "api-1"] == 1)
        await until(lambda: observer.held[-1] == 0)
        assert await works(sender)
    assert len(sink.batches) == 1


async def test_a_sender_that_is_gone_before_the_answer_has_sent_its_batch(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer) as sender:
        async with connection(sender, keys.trusting()) as (_, writer):
            writer.write(REQUEST)
            await until(lambda: sink.under_way == 1)
        await until(lambda: observer.connections[-1] == 0)
        sink.is_open.set()
        await until(lambda: sink.bodies == [LIST])
        assert await works(sender)


@pytest.mark.parametrize("seed", range(20))
async def test_rubbish_is_no_handshake(keys: Keys, observer: Counted, seed: int) -> None:
    rubbish = random.Random(seed).randbytes(10 ** (seed % 5))  # noqa: S311  no secret
    async with serving(keys, Taken(), observer, hello_seconds=LIMIT) as sender:
        async with connection(sender, None) as (reader, writer):
            writer.write(rubbish)
            assert b"HTTP" not in await rest(reader)
        await until(lambda: observer.times(IntakeRefusal.NO_HANDSHAKE) == 1)
        assert await works(sender)


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n"[:-2] + b"no header\r\n\r\n", id="no header"),
        pytest.param(b"\x16\x03\x01" * 100 + b"\r\n\r\n", id="bytes"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 without being asked"),
        pytest.param(STRANGER + b"X: " + b"x" * 100_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", id="a long address"),
        pytest.param(b"POST //[ HTTP/1.1\r\nHost: x\r\n\r\n", id="an address that is none"),
        pytest.param(STRANGER + b"Content-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(STRANGER + b"Content-Length: 1e3\r\n\r\n", id="a length that is no number"),
        pytest.param(STRANGER + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="two lengths"),
        pytest.param(STRANGER + b"X: x\r\n" * 20_000 + b"\r\n", id="many headers"),
    ],
)
async def test_what_is_no_http_is_answered_and_not_logged(
    keys: Keys, observer: Counted, rubbish: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        async with connection(sender, keys.trusting()) as (reader, writer):
            writer.write(rubbish)
            answer = await rest(reader)
        assert answer == b"" or answer.split()[1] in (b"400", b"401")
        assert await works(sender)
    assert len(sink.batches) == 1
    assert caplog.records == []


async def test_a_thousand_idle_connections_keep_out_nobody(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, most_connections=64) as sender:
        assert await works(sender)  # its connection stays open
        async with crowd(sender, 1000):
            assert await works(sender)
            async with sending_to(sender.server, keys.trusting()) as newcomer:
                assert await works(newcomer)
            await until(lambda: observer.times(IntakeRefusal.CROWDED) >= 1000 - 64)
            assert max(observer.connections) <= 64
            assert await works(sender)
        await until(lambda: observer.connections[-1] <= 2)


async def test_a_flood_of_strangers_does_not_cut_off_those_who_are_known(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer, most_connections=8) as sender:
        known = [asyncio.create_task(sender.post(f"/audit/api-{number}")) for number in range(4)]
        await until(lambda: sink.under_way == 4)
        async with crowd(sender, 100):
            await until(lambda: observer.times(IntakeRefusal.CROWDED) >= 96)
            sink.is_open.set()
            assert [(await one)[0] for one in known] == [200] * 4


async def test_if_all_are_known_a_new_connection_is_refused(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer, most_connections=2) as sender:
        known = [asyncio.create_task(sender.post()) for _ in range(2)]
        await until(lambda: sink.under_way == 2)
        async with connection(sender, None) as (reader, _):
            assert await rest(reader) == b""
        assert observer.times(IntakeRefusal.CROWDED) == 1
        sink.is_open.set()
        assert [(await one)[0] for one in known] == [200, 200]


async def test_requests_on_one_connection_are_answered_in_turn(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender, connection(sender, keys.trusting()) as (reader, writer):
        writer.write(REQUEST * 50)
        for _ in range(50):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    assert sink.bodies == [LIST] * 50


async def test_a_stranger_is_heard_once_however_many_requests_were_sent(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender, connection(sender, keys.trusting()) as (reader, writer):
        writer.write((STRANGER + b"\r\n") * 20_000)
        await rest(reader)
        assert observer.times(IntakeRefusal.NOT_AUTHENTICATED) == 1
        assert await works(sender)


async def test_requests_that_are_sent_and_whose_answers_are_not_read_take_little_memory(
    keys: Keys, observer: Counted
) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer) as sender, connection(sender, keys.trusting()) as (_, writer):
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            writer.write(REQUEST)
            await until(lambda: sink.under_way == 1)
            blocked = asyncio.create_task(send_much(writer, REQUEST, 100_000))
            await asyncio.wait([blocked], timeout=1)
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert sink.under_way == 1
        assert not blocked.done(), "the server reads no more than it can work on"
        assert after - before < 3_000_000
        blocked.cancel()
        sink.is_open.set()


async def send_much(writer: asyncio.StreamWriter, data: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(data)
        await writer.drain()


async def test_a_connection_that_breaks_at_any_moment_breaks_nothing_else(keys: Keys, observer: Counted) -> None:
    chance = random.Random(11)  # noqa: S311  no secret
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        for _ in range(60):
            async with connection(sender, chance.choice([None, keys.trusting()])) as (_, writer):
                writer.write(REQUEST[: chance.randrange(len(REQUEST))])
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
        assert await works(sender)
        await until(lambda: observer.held[-1] == 0 and observer.connections[-1] == 1)
    assert all(batch.source == "other" for batch in sink.batches)


async def test_no_descriptor_is_left_open(keys: Keys, observer: Counted) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  only their number
    async with serving(keys, Taken(), observer) as sender:
        for tls in (None, keys.trusting()):
            async with connection(sender, tls) as (_, writer):
                writer.write(b"x")
        assert await works(sender)
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208  only their number


async def test_if_there_are_no_more_descriptors_it_waits_for_some(keys: Keys, observer: Counted) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = asyncio.get_running_loop()
    async with serving(keys, Taken(), observer) as sender:
        with ExitStack() as stack, structlog.testing.capture_logs() as logs:
            clients = [stack.enter_context(socket.socket()) for _ in range(3)]
            highest = max(client.fileno() for client in clients)
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
            for client in clients:
                client.setblocking(False)
                await loop.sock_connect(client, (LOOPBACK, sender.server.port))
            await until(lambda: logs)
            await asyncio.sleep(0.3)  # several tries
        refused = [line["problem"] for line in logs if line["event"].startswith("connections cannot be accepted")]
        assert refused == ["[Errno 24] Too many open files"]
        assert await works(sender)
