"""The watches and connections of one session: which are open, and how many of each kind there were.

A stream is known by the event of its beginning, by that of its end, or by both, in either order.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.core.activity.effect import Effect
from curfew.core.activity.recorded import RecordedCall

MOST_STREAMS: Final = 1_000
"""How many open streams of one session are followed, and how many ends are remembered for beginnings that come later."""


_WORDS: Final = {"exec": "exec", "attach": "attach", "portforward": "port-forward", "proxy": "proxied call"}


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A watch or a connection that has begun, and was not seen to end."""

    call: str  # its identity
    actor: str
    effect: Effect
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    since: datetime

    @classmethod
    def of(cls, begun: RecordedCall) -> "OpenStream":
        """Return the stream that a record begins."""
        return cls(
            call=begun.call,
            actor=str(begun.record.block.get("actor", "")),
            effect=begun.effect,
            group=begun.group,
            resource=begun.resource,
            subresource=begun.subresource,
            namespace=begun.namespace,
            name=begun.name,
            since=begun.at,
        )


class Streams:
    """The streams of one session."""

    def __init__(self) -> None:
        """Know no stream yet."""
        self._open: dict[str, OpenStream] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()  # ends, for beginnings that come later
        self._connections: Counter[str] = Counter()  # those that have ended, by their word
        self._lengths: Counter[str] = Counter()  # how long they were open in all, in milliseconds
        self.more = 0  # streams that began when too many were open to follow them

    def begin(self, begun: RecordedCall) -> None:
        """Learn the beginning of a stream."""
        if begun.call in self._ended or begun.effect in (Effect.DENIED, Effect.FAILED):
            return
        if len(self._open) >= MOST_STREAMS and begun.call not in self._open:
            self.more += 1
            return
        self._open[begun.call] = OpenStream.of(begun)

    def end(self, ended: RecordedCall) -> None:
        """Learn the end of a stream."""
        self._open.pop(ended.call, None)
        self._ended[ended.call] = None
        if len(self._ended) > MOST_STREAMS:
            self._ended.popitem(last=False)
        if ended.effect is Effect.OPAQUE:
            self._connections[_word(ended.subresource)] += 1
            self._lengths[_word(ended.subresource)] += ended.lasted // timedelta(milliseconds=1)

    @property
    def open(self) -> tuple[OpenStream, ...]:
        """Those that have begun and were not seen to end, the oldest first."""
        return tuple(sorted(self._open.values(), key=lambda stream: (stream.since, stream.call)))

    @property
    def opaque(self) -> int:
        """How many connections there were that nobody sees into, those that are open among them."""
        return self._connections.total() + len(self._open) - self.outputs

    @property
    def outputs(self) -> int:
        """How many streams are open that only read."""
        return sum(stream.effect is Effect.READ for stream in self._open.values())

    def connections(self) -> Iterator[tuple[str, int, timedelta, int]]:
        """Yield, for each kind of connection: its word, how many there were, how long in all, and how many are open."""
        still = Counter(_word(stream.subresource) for stream in self._open.values() if stream.effect is not Effect.READ)
        for word in sorted(self._connections | still):
            length = timedelta(milliseconds=self._lengths[word])
            yield word, self._connections[word] + still[word], length, still[word]


def lasts(seen: RecordedCall) -> bool:
    """Whether a call is one that lasts, so that its beginning has a record of its own."""
    return seen.verb == "watch" or seen.effect is Effect.OPAQUE or seen.subresource in ("log", *_WORDS)


def _word(subresource: str) -> str:
    return _WORDS.get(subresource, "connection")
