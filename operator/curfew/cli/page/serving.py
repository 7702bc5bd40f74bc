"""Serving the page on loopback: GET only, for whoever knows the address."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from aiohttp import web

from curfew.cli.page.door import HEADERS, HOST, PageDoor
from curfew.cli.page.pages import Again, NoSuchView, Pages
from curfew.cli.page.scope import read_scope

_FILES: Final = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
_NOT_FOUND: Final = "404: there is nothing here. The address of the page is where kubectl curfew ui was started."


def page_app(pages: Pages, door: PageDoor, within: str = "") -> web.Application:
    """Return the server of a page. `within` is where it looks if an address does not say."""

    async def answer(request: web.Request) -> web.Response:
        view = door.view_of(request)
        if view is None:
            return web.Response(status=404, text=_NOT_FOUND)
        if request.method != "GET":
            return web.Response(status=405, text="405: this page only shows.", headers={"Allow": "GET"})
        if view in _FILES:
            return web.Response(text=pages.file(view), content_type=_FILES[view])
        try:
            html = await pages.html(view, read_scope(request.query, within))
        except NoSuchView:
            return web.Response(status=404, text=_NOT_FOUND)
        except Again as again:
            return web.Response(status=303, headers={"Location": str(again)})
        return web.Response(text=html, content_type="text/html")

    app = web.Application(client_max_size=1)
    app.router.add_route("*", "/{path:.*}", answer)
    app.on_response_prepare.append(_harden)
    return app


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback, on any port if that is 0. Raise OSError."""
    return socket.create_server((HOST, port))


async def serve(pages: Pages, sock: socket.socket, within: str, ready: Callable[[str], None]) -> None:
    """Serve the page until the task is cancelled. `ready` is told its address."""
    door = PageDoor(sock.getsockname()[1])
    runner = web.AppRunner(page_app(pages, door, within), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        ready(door.address)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
