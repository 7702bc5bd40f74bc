"""What was told already, learnt from the monitor's own log: so a restart repeats nothing that the log holds."""

from curfew.audit.record import Record
from curfew.core.notifications.records import settled
from curfew.core.remembered import Remembered

MOST = 100_000
"""Most messages that are remembered. The oldest are forgotten first; only those of the last hour matter."""


class SettledMessages:
    """The messages that went out, or were given up."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._settled: Remembered[tuple[str, str], None] = Remembered(MOST)

    def learn(self, record: Record) -> None:
        """Learn a record of the monitor's log."""
        for one in settled(record):
            self.add(*one)

    def add(self, key: str, channel: str) -> None:
        """Note that a message has reached a channel, or waits for it."""
        self._settled[key, channel] = None

    def has(self, key: str, channel: str) -> bool:
        """Whether a message is known for a channel."""
        return (key, channel) in self._settled
