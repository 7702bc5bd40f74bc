"""What was told already, learnt from the monitor's own log: so a restart repeats nothing that the log holds."""

from collections import OrderedDict

from curfew.audit.record import Record
from curfew.core.notifications.records import settled

MOST = 100_000
"""Most messages that are remembered. The oldest are forgotten first; only those of the last hour matter."""


class SettledMessages:
    """The messages that went out, or were given up."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._settled: OrderedDict[tuple[str, str], None] = OrderedDict()

    def learn(self, record: Record) -> None:
        """Learn a record of the monitor's log."""
        for one in settled(record):
            self.add(*one)

    def add(self, key: str, channel: str) -> None:
        """Note that a message has reached a channel, or waits for it."""
        self._settled[key, channel] = None
        while len(self._settled) > MOST:
            self._settled.popitem(last=False)

    def has(self, key: str, channel: str) -> bool:
        """Whether a message is known for a channel."""
        return (key, channel) in self._settled
