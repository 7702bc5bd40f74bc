"""Probes and metrics over HTTP."""

import asyncio
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
import pytest

from curfew.adapters.web import CONNECTIONS, HEADER_BYTES, CannotListen, WebServer


class Operator:
    """What is asked about."""

    def __init__(self) -> None:
        self.is_alive = True
        self.readiness: tuple[bool, Mapping[str, str]] = (True, {"trail": "records are durable"})

    def server(self, port: int = 0) -> WebServer:
        return WebServer(
            "127.0.0.1",
            port,
            alive=lambda: self.is_alive,
            ready=lambda: self.readiness,
            metrics=lambda: ("text/plain; version=1.0.0; charset=utf-8", b"curfew_past_expiry 0\n"),
        )


async def get(server: WebServer, path: str) -> tuple[int, str, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_it_is_healthy_while_the_operator_is_alive() -> None:
    operator = Operator()
    async with operator.server() as server:
        assert await get(server, "/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
        operator.is_alive = False
        status, _, text = await get(server, "/healthz")
        assert status == 503
        assert "stopped working" in text


async def test_it_is_ready_when_the_operator_says_so_and_says_why_not() -> None:
    operator = Operator()
    async with operator.server() as server:
        assert (await get(server, "/readyz"))[0] == 200
        operator.readiness = (False, {"trail": "the bucket “trail” does not answer"})
        status, content_type, text = await get(server, "/readyz")
        assert status == 503
        assert content_type.startswith("application/json")
        assert '"trail": "the bucket “trail” does not answer"' in text


async def test_prometheus_gets_its_numbers() -> None:
    async with Operator().server() as server:
        assert await get(server, "/metrics") == (
            200,
            "text/plain; version=1.0.0; charset=utf-8",
            "curfew_past_expiry 0\n",
        )


async def test_nothing_else_is_there() -> None:
    async with Operator().server() as server:
        assert (await get(server, "/"))[0] == 404


async def test_a_port_that_is_taken_is_one_clear_sentence() -> None:
    operator = Operator()
    async with operator.server() as server:
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1, port {server.port}: .*server.port"):
            await operator.server(server.port).__aenter__()


async def test_the_port_is_free_again_afterwards() -> None:
    operator = Operator()
    async with operator.server() as server:
        pass
    async with operator.server(server.port) as again:
        assert (await get(again, "/healthz"))[0] == 200


async def test_a_head_has_no_body() -> None:
    async with (
        Operator().server() as server,
        aiohttp.ClientSession() as session,
        session.head(f"http://127.0.0.1:{server.port}/healthz?verbose") as response,
    ):
        assert (response.status, response.headers["Content-Length"], await response.read()) == (200, "3", b"")


async def test_nothing_is_taken() -> None:
    async with (
        Operator().server() as server,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{server.port}/healthz", data=b"x") as response,
    ):
        assert response.status == 405


async def say(server: WebServer, words: bytes) -> bytes:
    """Send this and nothing more, and return all that comes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(words)
    said = b""
    with suppress(ConnectionResetError):
        said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\n", id="a header that does not end"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 2 * HEADER_BYTES, id="a header that is too long"),
    ],
)
async def test_a_connection_on_which_nothing_is_asked_is_closed(words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curfew.adapters.web.SECONDS", 0.2)
    async with asyncio.timeout(5), Operator().server() as server:
        assert await say(server, words) == b""
        assert not server._open


async def test_what_is_no_request_gets_an_answer_all_the_same() -> None:
    async with Operator().server() as server:
        assert (await say(server, b"\xff\x00\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_it_answers_while_idle_connections_are_open() -> None:
    """Six hundred, which is more than the descriptors that the process may have (promise P11: it is seen to be alive)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = (sys.executable, "-c", IDLE_CONNECTIONS)
    async with asyncio.timeout(60), Operator().server() as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        try:
            idle = await asyncio.create_subprocess_exec(*command, str(server.port), stdout=asyncio.subprocess.PIPE)
            assert idle.stdout is not None
            assert await idle.stdout.readline() == b"600 opened\n"
            assert len(server._open) <= CONNECTIONS
            assert (await get(server, "/healthz"))[0] == 200
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            idle.kill()
            await idle.wait()


IDLE_CONNECTIONS = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
opened = []
for _ in range(600):
    opened.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10))
    opened[-1].sendall(b"GET /healthz HTTP/1.1\\r\\n")
print(len(opened), "opened", flush=True)
time.sleep(60)
"""
