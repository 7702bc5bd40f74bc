"""Somebody at a keyboard: what they type with their access, and what an administrator types beside them."""

import asyncio
import json
import os
import shlex
import ssl
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp

from tests.integration.monitor.sessions import CORE
from tests.integration.operator.people import Person
from tests.integration.operator.place import Place
from tests.support.node import Node
from tools.servers.audit import SOURCE, AuditFeed
from tools.servers.cluster import Cluster
from tools.servers.pki import ADMIN

AT_ONCE: Final = 3
"""How many kubectl processes run at a time, for two cores."""

SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.1
NO_ANSWER: Final = 0

Event = dict[str, Any]
T = TypeVar("T")


async def polled(ask: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """Return what a question that takes a moment is answered with, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(ask)):
        assert time.monotonic() < deadline, f"not seen within {seconds:g} s: {what}"
        await asyncio.sleep(LOOK_SECONDS)
    return found


class Desk:
    """What all who act share: kubectl, the API server's own audit log, and the way to the monitor."""

    def __init__(self, cluster: Cluster, folder: Path, audit_log: Path, feed: AuditFeed, node: Node) -> None:
        """`folder` is for kubeconfigs. `audit_log` is written by the API server beside the feed."""
        self.cluster = cluster
        self.folder = folder
        self.feed = feed
        self.node = node
        self._audit_log = audit_log.open("rb")
        self._written: list[Event] = []
        self._reading = threading.Lock()
        self._free = asyncio.Semaphore(AT_ONCE)

    async def start(self, kubeconfig: Path, *arguments: str, has_input: bool = False) -> Process:
        """Start kubectl."""
        login = ("--context", ADMIN) if kubeconfig == self.cluster.kubeconfig else ()
        return await asyncio.create_subprocess_exec(
            *(self.cluster.kubectl_path, f"--kubeconfig={kubeconfig}", *login, *arguments),
            stdin=PIPE if has_input else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **self.cluster.environ()},
        )

    async def run(self, kubeconfig: Path, *arguments: str, stdin: object = None) -> tuple[int, str, str]:
        """Run kubectl, and return its exit code, its output and its errors."""
        sent = None if stdin is None else json.dumps(stdin).encode()
        async with self._free, asyncio.timeout(SECONDS):
            process = await self.start(kubeconfig, *arguments, has_input=sent is not None)
            output, errors = await process.communicate(sent)
        return process.returncode or 0, output.decode(), errors.decode()

    def events(self, about: Callable[[Event], bool]) -> list[Event]:
        """Return what the API server has written down of certain calls, in its order."""
        with self._reading:
            while (line := self._audit_log.readline()).endswith(b"\n"):
                self._written.append(json.loads(line))
            self._audit_log.seek(-len(line), os.SEEK_CUR)  # half a line is read again when it is whole
            return [event for event in self._written if about(event)]

    def close(self) -> None:
        """Read no more of it."""
        self._audit_log.close()

    async def event(self, what: str, about: Callable[[Event], bool]) -> Event:
        """Return such a call when the API server has written it down."""
        return (await polled(lambda: self.events(about), what))[0]

    async def send(self, events: list[Event]) -> int:
        """Send events to the monitor as the API server does, and return the code of its answer."""
        body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}
        headers = {"Authorization": f"Bearer {self.feed.token.read_text()}"}
        tls = ssl.create_default_context(cafile=str(self.feed.ca))
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
            session.post(f"{self.feed.url}/audit/{SOURCE}", json=body, headers=headers) as response,
        ):
            return response.status


class Acting:
    """The requester of one session, with the administrator beside them."""

    def __init__(self, desk: Desk, place: Place, person: Person, token: str) -> None:
        """Nothing is asked for yet."""
        self.desk = desk
        self.place = place
        self.person = person
        self._token = token
        self.uid = ""  # of the request, once there is one
        self._running: list[Process] = []
        self._kubeconfigs = {"": self._kubeconfig("requester", token), "admin": desk.cluster.kubeconfig}

    @property
    def namespace(self) -> str:
        """Return where it all happens."""
        return self.place.namespace

    async def types(self, words: str, *, by: str = "", stdin: object = None) -> tuple[int, str, str]:
        """Run kubectl with these words, by the requester unless somebody else is named."""
        return await self.desk.run(self._kubeconfigs[by], *self._words(words), stdin=stdin)

    async def begins(self, words: str) -> None:
        """Start kubectl as the requester, and leave it running."""
        self._running.append(await self.desk.start(self._kubeconfigs[""], *self._words(words)))

    async def hangs_up(self) -> None:
        """End what was left running."""
        while self._running:
            process = self._running.pop()
            if process.returncode is None:
                process.kill()
            await process.communicate()

    def knows(self, who: str, token: str) -> None:
        """Let somebody else act with a token, by the name `who`."""
        self._kubeconfigs[who] = self._kubeconfig(who, token)

    async def calls(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make a call that kubectl does not make, as the requester; the path is in the namespace.

        Return the code and the answer; NO_ANSWER if the API server hung up.
        """
        url = f"{self.desk.cluster.server}{CORE}/{self.namespace}/{path}"
        login = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self.person.session.request(
                method, url, json=body, headers={**login, **(headers or {})}
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except aiohttp.ServerDisconnectedError:
            return NO_ANSWER, None

    def is_own(self, event: Event) -> bool:
        """Whether an event is about a call of the requester's in the namespace."""
        where = event.get("objectRef", {}).get("namespace")
        return bool(event.get("user", {}).get("username") == self.person.name and where == self.namespace)

    def _words(self, words: str) -> list[str]:
        filled = words.format(ns=self.namespace, uid=self.uid, user=shlex.quote(self.person.name))
        return [f"--namespace={self.namespace}", *shlex.split(filled)]

    def _kubeconfig(self, who: str, token: str) -> Path:
        path = self.desk.folder / f"{self.place.namespace}-{who}"
        return self.desk.cluster.kubeconfig_for_token(path, token)
