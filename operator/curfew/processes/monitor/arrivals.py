"""What the ways in report: what arrived, and what was refused before or after it was looked at."""

from curfew.adapters.telemetry import MonitorTelemetry
from curfew.ports.intake import IntakeRefusal
from curfew.processes.monitor.feed import Feed

_MAY_BE_LOST = frozenset({IntakeRefusal.OVERLOADED, IntakeRefusal.TOO_SLOW, IntakeRefusal.DISCONNECTED})
"""The batch was not seen as a whole, so nobody can know whether it came again: an API server gives up after five tries."""


class Arrivals:
    """Counts what arrives, as `curfew.ports.intake.IntakeObserver`, and has coverage get a hole for what may be lost."""

    def __init__(self, feed: Feed, telemetry: MonitorTelemetry, *, keeps: bool = False) -> None:
        """`keeps` means that the sender keeps what was not taken for as long as it takes, as a file does."""
        self._losses: frozenset[IntakeRefusal] = frozenset() if keeps else _MAY_BE_LOST
        self._feed = feed
        self._telemetry = telemetry

    def taken(self, source: str, size: int, seconds: float) -> None:
        """Count a batch that was taken: its bytes, and how long that took."""
        self._telemetry.batch_taken(size, seconds)

    def refused(self, reason: IntakeRefusal, source: str = "") -> None:
        """Count a refusal. Without a source, no audit event of an API server can be lost by it."""
        self._telemetry.batch_refused(reason)
        if source and (reason.loses or reason in self._losses):
            self._feed.lose(f"audit events of {source} were refused: {reason}")

    def holding(self, size: int) -> None:
        """Show how many bytes are held of bodies that have no answer yet."""
        self._telemetry.set_held(size)

    def connected(self, number: int) -> None:
        """Show how many connections are open."""
        self._telemetry.set_connections(number)
