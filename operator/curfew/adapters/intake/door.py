"""Accepting connections: their number, the handshake and the time for the first request are bounded.

If there are too many, the oldest of those makes room that have not shown yet who they are. So a flood of strangers keeps
out nobody who is known, and a sender that connects anew has time to show who it is.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from curfew.adapters.intake.credentials import Credentials
from curfew.ports import IntakeObserver, IntakeRefusal

_AT_ONCE = 16  # most connections that are accepted before those that are open get their turn
_PAUSE = 0.1  # seconds, if the system has no more descriptors
_GOODBYE_SECONDS = 2.0  # how long the other side has for its part of the end of TLS

_log = structlog.get_logger(__name__)


class Visit:
    """One connection."""

    def __init__(self, credentials: Credentials, hello_seconds: float) -> None:
        """Give it so long to begin a request. Its certificate is verified with these credentials."""
        self.credentials = credentials
        self.is_known = False
        self.is_busy = False
        self.is_last = False  # the request under way is its last
        self.transport: asyncio.WriteTransport | None = None  # from the end of the handshake on
        self.task: asyncio.Task[None] | None = None  # the handshake
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(hello_seconds, self.abort)

    def give(self, seconds: float) -> None:
        """End it after that time, counted from now."""
        self._end.cancel()
        self._end = self._loop.call_later(seconds, self.abort)

    def abort(self) -> None:
        """End it now."""
        self._end.cancel()
        if self.transport is not None:
            self.transport.abort()
        elif self.task is not None:
            self.task.cancel()

    def renew(self, credentials: Credentials) -> None:
        """Let it end after a request. If there is another authority now, it may begin none."""
        self.is_last = True
        if self.credentials.authority != credentials.authority and not self.is_busy and self.transport is not None:
            self.transport.close()

    def over(self) -> None:
        """It has ended."""
        self._end.cancel()


class Door:
    """Lets connections in, and knows those that are open."""

    def __init__(
        self,
        listening: socket.socket,
        welcome: Callable[[Visit], asyncio.Protocol],
        credentials: Callable[[], Credentials],
        observer: IntakeObserver,
        *,
        most: int,
        hello_seconds: float,
    ) -> None:
        """`credentials` is asked for each connection, so that new ones are used at once."""
        self._listening = listening
        self._welcome = welcome
        self._credentials = credentials
        self._observer = observer
        self._most = most
        self._hello_seconds = hello_seconds
        self._open: dict[Visit, None] = {}  # the oldest first
        self._fewer = asyncio.Event()
        self._trouble = ""
        self._reopening: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Accept connections from now on. The socket must not block."""
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def renew(self) -> None:
        """Let all connections end that were made with other credentials than those of now, without breaking requests off."""
        for visit in tuple(self._open):
            visit.renew(self._credentials())

    def shut(self) -> None:
        """Accept none any more."""
        if self._reopening is not None:
            self._reopening.cancel()
        asyncio.get_running_loop().remove_reader(self._listening)

    async def close(self) -> None:
        """End all connections now."""
        for visit in tuple(self._open):
            visit.abort()
        while self._open:
            self._fewer.clear()
            await self._fewer.wait()

    def left(self, visit: Visit) -> None:
        """Forget a connection that has ended."""
        visit.over()
        if visit in self._open:
            del self._open[visit]
            self._fewer.set()
            self._observer.connected(len(self._open))

    def _accept(self) -> None:
        try:
            for _ in range(_AT_ONCE):
                connection, _ = self._listening.accept()
                connection.setblocking(False)
                self._let_in(connection)
        except BlockingIOError:
            self._trouble = ""
        except OSError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("connections cannot be accepted for the moment", problem=self._trouble)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listening)
            self._reopening = loop.call_later(_PAUSE, self.open)

    def _let_in(self, connection: socket.socket) -> None:
        if len(self._open) >= self._most:
            self._observer.refused(IntakeRefusal.CROWDED)
            stranger = next((visit for visit in self._open if not visit.is_known), None)
            if stranger is None:
                connection.close()
                return
            stranger.abort()
            self.left(stranger)
        visit = Visit(self._credentials(), self._hello_seconds)
        self._open[visit] = None
        self._observer.connected(len(self._open))
        visit.task = asyncio.get_running_loop().create_task(self._shake_hands(connection, visit))
        visit.task.add_done_callback(lambda _: self._shaken(connection, visit))

    async def _shake_hands(self, connection: socket.socket, visit: Visit) -> None:
        with suppress(OSError):  # `_shaken` counts it, with those that were broken off
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._welcome(visit),
                connection,
                ssl=visit.credentials.tls,
                ssl_handshake_timeout=self._hello_seconds,
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )

    def _shaken(self, connection: socket.socket, visit: Visit) -> None:
        """Let go of what did not become a connection, even if the handshake was broken off before it began."""
        if visit.transport is None:
            connection.close()
            self._observer.refused(IntakeRefusal.NO_HANDSHAKE)
            self.left(visit)
