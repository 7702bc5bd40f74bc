"""The proxy passes everything on byte by byte, and makes the weather that it is told to make."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.chaos.proxy import ChaosProxy
from tests.chaos.weather import Weather
from tests.chaos.wire import MessageHead, body
from tools.servers.ports import LOOPBACK, free_port, give_back

BIG = bytes(range(256)) * 4096


@asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[ChaosProxy, list[bytes]]]:
    """Run a server that keeps what it gets and answers in chunks, at length, or not at all."""
    got: list[bytes] = []

    async def whole(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(body=BIG)

    async def chunks(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for number in range(3):
            await answer.write(f"{number}\n".encode())
        await answer.write_eof()
        return answer

    app = web.Application(client_max_size=2**24)
    app.add_routes([web.put("/whole", whole), web.get("/whole", whole), web.get("/chunks", chunks)])
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        async with ChaosProxy(port, Weather(random.Random(1))) as proxy:  # noqa: S311  a game
            yield proxy, got
    finally:
        await runner.cleanup()
        give_back(port)


def played(story: Callable[[ChaosProxy, list[bytes], aiohttp.ClientSession, str], Awaitable[None]]) -> None:
    """Play something with a client."""

    async def play() -> None:
        async with behind_a_proxy() as (proxy, got), aiohttp.ClientSession(trust_env=False) as session:
            await story(proxy, got, session, f"http://{LOOPBACK}:{proxy.port}")

    asyncio.run(play())


def test_a_server_that_dies_within_an_answer_is_not_taken_for_its_end() -> None:
    """The client has to notice: a watch through an end that was made up showed nothing for a minute, and nobody knew."""

    async def read() -> list[bytes]:
        stream, head = asyncio.StreamReader(), MessageHead(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        stream.feed_data(b"3\r\n{}\n\r\n")
        stream.feed_eof()
        return [piece async for piece in body(stream, head)]

    with pytest.raises(EOFError):
        asyncio.run(read())


def test_bodies_of_all_kinds_pass_unchanged() -> None:
    async def story(proxy: ChaosProxy, got: list[bytes], session: aiohttp.ClientSession, url: str) -> None:
        async with session.put(f"{url}/whole", data=BIG) as answer:
            assert await answer.read() == BIG
        async with session.get(f"{url}/chunks") as answer:
            assert await answer.read() == b"0\n1\n2\n"
        async with session.head(f"{url}/whole") as answer:
            assert answer.status == 200
        assert got == [BIG, b""]

    played(story)


def test_a_refused_call_never_arrives() -> None:
    async def story(proxy: ChaosProxy, got: list[bytes], session: aiohttp.ClientSession, url: str) -> None:
        proxy.weather.refusing = 429
        async with session.put(f"{url}/whole", data=BIG) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert got == []

    played(story)


def test_a_lost_answer_is_one_to_a_call_that_arrived() -> None:
    async def story(proxy: ChaosProxy, got: list[bytes], session: aiohttp.ClientSession, url: str) -> None:
        proxy.weather.lost = 1.0
        with pytest.raises(aiohttp.ClientError):
            await session.put(f"{url}/whole", data=b"once")
        assert set(got) == {b"once"}, "aiohttp asks again by itself"

    played(story)


def test_what_is_held_goes_on_when_it_is_let_go() -> None:
    async def story(proxy: ChaosProxy, got: list[bytes], session: aiohttp.ClientSession, url: str) -> None:
        proxy.hold()
        asking = asyncio.create_task(session.put(f"{url}/whole", data=b"patient"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asking), 0.2)
        assert got == []
        proxy.let_go()
        async with await asking as answer:
            assert await answer.read() == BIG

    played(story)
