"""The bytes that the server holds: those of requests that have no answer yet."""

from collections import Counter

from curfew.ports import IntakeObserver


class Full(Exception):
    """There is no room for so many bytes now."""


class HeldBytes:
    """How many bytes are held, in all and for each source. One source may hold half, so that it cannot shut out others."""

    def __init__(self, most: int, observer: IntakeObserver) -> None:
        """`most` is in bytes."""
        self._most = most
        self._observer = observer
        self._all = 0
        self._of: Counter[str] = Counter()

    def add(self, source: str, size: int) -> None:
        """Make room, or raise `Full`."""
        if self._all + size > self._most or self._of[source] + size > self._most // 2:
            raise Full
        self._change(source, size)

    def give_back(self, source: str, size: int) -> None:
        """Leave room to others."""
        self._change(source, -size)

    def _change(self, source: str, size: int) -> None:
        self._all += size
        self._of[source] += size
        self._observer.holding(self._all)
