"""Counting different things, with the first of them by name, in bounded memory."""

from datetime import datetime


class Earliest:
    """Different texts: how many there are, up to a bound, and the earliest few. The order of adding makes no difference."""

    def __init__(self, most: int, shown: int) -> None:
        """Count up to `most`, and keep the `shown` earliest."""
        self._most, self._shown = most, shown
        self._seen: set[int] = set()
        self._first: dict[str, tuple[datetime, str]] = {}  # by key: when first, and the text

    def add(self, text: str, at: datetime, *, key: str | None = None) -> None:
        """Add a text as of an instant. Texts are the same if their keys are; the key is the text if none is given."""
        key = text if key is None else key
        if len(self._seen) <= self._most:
            self._seen.add(hash(key))
        if self._shown:
            self._first[key] = min((at, text), self._first.get(key, (at, text)))
            if len(self._first) > self._shown:
                del self._first[max(self._first, key=lambda one: (self._first[one], one))]

    @property
    def count(self) -> int:
        """How many there are, at most the bound."""
        return min(len(self._seen), self._most)

    @property
    def has_more(self) -> bool:
        """Whether there are more than were counted."""
        return len(self._seen) > self._most

    @property
    def shown(self) -> tuple[str, ...]:
        """The earliest, in the order of their first appearance."""
        return tuple(text for _, text in sorted(self._first.values()))
