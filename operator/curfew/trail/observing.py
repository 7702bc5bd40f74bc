"""What a process learns from its log while it writes it."""

from collections.abc import Sequence
from typing import Protocol

from curfew.audit.record import Record
from curfew.trail.attestor import AttestationObserver
from curfew.trail.health import Health


class TrailObserver(AttestationObserver, Protocol):
    """Receives reports. The calls come from the event loop and must not block."""

    def durable(self, records: Sequence[Record]) -> None:
        """These records have become durable, or were found to be."""
        ...

    def health_changed(self, health: Health) -> None:
        """Records now become durable, or do not, or the reason has changed."""
        ...

    def committed(self, seconds: float, records: int, size: int) -> None:
        """A segment is durable: the seconds since its oldest record was handed over, its records and its stored bytes."""
        ...

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """One of our own segments is durable: the index of its first record, its records as lines of the log, and its bytes."""
        ...
