"""Probes and metrics over HTTP."""

from collections.abc import Mapping

import aiohttp
import pytest

from curfew.adapters.web import CannotListen, WebServer


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
