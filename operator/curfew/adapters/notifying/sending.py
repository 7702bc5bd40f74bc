"""Hands messages to Apprise, which waits while it sends: so each send has a thread of its own, and a limit of time.

A receiver that hangs holds its own thread and nothing else: no other channel waits for it, nor does the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from curfew.adapters.notifying.exchange import Exchange, exchanging
from curfew.adapters.notifying.layout import ChannelBounds, written
from curfew.adapters.notifying.routes import Destination, RoutesFile
from curfew.core.detectors.alert import Severity
from curfew.core.notifications.message import Message
from curfew.ports import Clock
from curfew.ports.notifier import Channel, NotSent

SEND_SECONDS: Final = 20.0
"""How long one send may take."""

FINAL: Final = frozenset({400, 413, 415, 422})
"""The receiver has read the message and will never take it."""

_GRAVE: Final = Severity.HIGH
"""From here on a message is of Apprise's type "failure", else "warning". Some take "info" for the end of an incident."""


class AppriseNotifier:
    """Sends messages by the routes in a file, as `curfew.ports.notifier.Notifier`."""

    def __init__(self, path: Path, clock: Clock, *, link: str | None, seconds: float = SEND_SECONDS) -> None:
        """Nothing is read yet. `link` is the form of the address of a request's page."""
        self._routes = RoutesFile(path)
        self._clock = clock
        self._link = link
        self._seconds = seconds
        self._busy: dict[str, asyncio.Future[None]] = {}  # by channel, the thread that sends to it

    @property
    def trouble(self) -> str:
        """What is wrong with the routes, as a sentence for people without any address; empty if all is well."""
        return self._routes.trouble

    async def refresh(self) -> bool:
        """Read the routes again if they have changed, and return whether there are others now."""
        return await asyncio.to_thread(self._routes.read)

    def channels(self, message: Message) -> Sequence[Channel]:
        """Return the places that a message has to go to."""
        return tuple(place.channel for place in self._routes.places if place.takes(message))

    async def send(self, channel: Channel, messages: Sequence[Message]) -> None:
        """Send one message, or several as a digest. Raise `NotSent` if it did not go out, or it is not known whether it did."""
        name = str(channel)
        place = next((place for place in self._routes.places if str(place.channel) == name), None)
        if place is None:
            raise NotSent("The route was removed from routes.yaml.", is_final=True)
        if (before := self._busy.get(name)) is not None and not before.done():
            raise NotSent("The receiver still has not answered the last message.")
        done = self._busy[name] = _in_a_thread(
            f"notify {name}", lambda: _send(place, messages, self._link, Exchange(self._seconds, self._clock.now()))
        )
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.shield(done)
        except TimeoutError:
            raise NotSent(f"The receiver did not answer within {self._seconds:g} s.") from None


def _in_a_thread(name: str, work: Callable[[], None]) -> asyncio.Future[None]:
    """Run something in a thread that the end of the process does not wait for, and return its result to come."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    done.add_done_callback(lambda future: future.cancelled() or future.exception())  # nobody may be waiting any more

    def finish(error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except NotSent as refused:
            error = refused
        except Exception as unexpected:  # noqa: BLE001  a plugin may fail in any way, and only this message is lost
            error = NotSent(f"It could not be sent: {type(unexpected).__name__}.")
        try:
            loop.call_soon_threadsafe(finish, error)
        except RuntimeError:
            return  # the process ends, and nobody waits

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


def _send(place: Destination, messages: Sequence[Message], link: str | None, exchange: Exchange) -> None:
    plugin, message = place.plugin, messages[0]
    look = place.looks.get(message.topic) if len(messages) == 1 else None
    text = written(messages, place.manner, ChannelBounds(plugin.title_maxlen, plugin.body_maxlen), link=link, look=look)
    if place.domains:
        plugin.targets = [(False, place.receiver(message))]
    worst = max(message.severity for message in messages)
    with exchanging(exchange):
        if plugin.notify(
            title=text.title,
            body=text.body,
            notify_type="failure" if worst >= _GRAVE else "warning",
            body_format=_format(place),
        ):
            return
    if exchange.status is not None and not 200 <= exchange.status < 300:
        raise NotSent(
            f"The receiver answered {exchange.status}.",
            retry_after=exchange.retry_after,
            is_final=exchange.status in FINAL,
        )
    raise NotSent(
        f"The receiver could not be reached ({exchange.problem})."
        if exchange.problem
        else "The receiver did not take it."
    )


def _format(place: Destination) -> str:
    """Return the format that our text is in, for Apprise to escape it or to leave it as it is."""
    formats = place.plugin.notify_format
    if not place.manner.is_verbatim or "text" in (formats if isinstance(formats, tuple) else (formats,)):
        return "text"
    return "markdown"
