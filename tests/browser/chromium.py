"""A real Chromium without a window, told what to do over its DevTools protocol."""

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp

FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # it runs as root in containers, and loads nothing but our own page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)
PATIENCE: Final = 300.0
"""Seconds that an answer may take."""

MISSING: Final = (
    "There is no chromium on PATH. On Debian and Ubuntu: apt install chromium. `make browser` says what it needs."
)


class Tab:
    """One page of the browser. `errors` is what the page logged: refused loads, and whatever else goes wrong in it."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []

    async def call(self, method: str, **params: Any) -> Mapping[str, Any]:
        """Call a method of the protocol."""
        return await self._browser.call(method, params, self._session)

    async def show(self, *, width: int, height: int = 900, dark: bool = False, phone: bool = False) -> None:
        """Set the size of the window, and what the person likes: light or dark."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def scripts(self, *, allowed: bool) -> None:
        """Let pages run scripts, or not."""
        await self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    async def go(self, address: str) -> None:
        """Load an address, and wait until it is there."""
        loaded = self._browser.event("Page.loadEventFired", self._session)
        told = await self.call("Page.navigate", url=address)
        if "errorText" in told:
            raise AssertionError(f"{address}: {told['errorText']}")
        await asyncio.wait_for(loaded, PATIENCE)

    async def evaluate(self, script: str) -> Any:
        """Run a script as the developer's console does, whatever the page's policy is, and return its value."""
        told = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise AssertionError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    async def key(self, key: str) -> None:
        """Press a key."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    async def enter(self) -> None:
        """Press Enter, and wait until the next page is there."""
        loaded = self._browser.event("Page.loadEventFired", self._session)
        await self.key("Enter")
        await asyncio.wait_for(loaded, PATIENCE)

    async def picture(self) -> bytes:
        """Return the whole page as PNG."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])


class Chromium:
    """The browser, as long as its `with` block."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[tuple[str, str], asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[Self]:
        """Start a browser with nothing in it, and end it."""
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            raise AssertionError(MISSING)
        with tempfile.TemporaryDirectory(prefix="curfew-chromium-", ignore_cleanup_errors=True) as folder:
            process = await asyncio.create_subprocess_exec(
                program,
                *FLAGS,
                f"--user-data-dir={folder}",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                address = await asyncio.wait_for(_address(process), PATIENCE)
                async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                    browser = cls(socket)
                    yield browser
                    await browser.call("Browser.close", {})
                    browser._reader.cancel()
                await asyncio.wait_for(process.wait(), PATIENCE)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def tab(self) -> Tab:
        """Open a page."""
        target = await self.call("Target.createTarget", {"url": "about:blank"})
        attached = await self.call("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for part in ("Page", "Log", "Runtime"):
            await tab.call(f"{part}.enable")
        return tab

    async def call(self, method: str, params: Mapping[str, Any], session: str = "") -> Mapping[str, Any]:
        """Call a method, and return its result."""
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        where = {"sessionId": session} if session else {}
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params, **where}))
        told = await asyncio.wait_for(answer, PATIENCE)
        if "error" in told:
            raise AssertionError(f"{method}: {told['error']}")
        result: Mapping[str, Any] = told["result"]
        return result

    def event(self, method: str, session: str) -> "asyncio.Future[Any]":
        """Return what waits for the next event of a kind."""
        return self._events.setdefault((method, session), asyncio.get_running_loop().create_future())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            session = told.get("sessionId", "")
            if told["method"] in ("Log.entryAdded", "Runtime.exceptionThrown") and session in self._tabs:
                self._tabs[session].errors.append(json.dumps(told["params"]))
            if waiting := self._events.pop((told["method"], session), None):
                waiting.set_result(told["params"])


async def _address(process: asyncio.subprocess.Process) -> str:
    """Return where the browser listens, as it writes it."""
    assert process.stderr is not None
    lines = []
    while line := await process.stderr.readline():
        lines.append(line.decode(errors="replace"))
        if "DevTools listening on " in lines[-1]:
            return lines[-1].partition("DevTools listening on ")[2].strip()
    raise AssertionError(f"Chromium did not start:\n{''.join(lines)}")
