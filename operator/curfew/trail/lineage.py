"""What a log records about itself: which keys have sealed it, and where it may begin."""

from datetime import datetime

from curfew.audit.beginning import EVENT as BEGINS
from curfew.audit.beginning import Beginning, stated_in
from curfew.audit.record import Record

KEYS_TOLD = {"audit.opened": ("verifier_key",), "audit.key_rotated": ("previous_key", "verifier_key")}
"""The events that name keys of the log, and the fields that hold the keys."""

LINEAGE_TOLD = frozenset({*KEYS_TOLD, BEGINS})
"""The events that a lineage learns from."""

MOST_KEYS = 64
"""How many keys of the log are remembered: those that have sealed its newest parts."""


class Lineage:
    """The keys of a log, and the newest of its statements about its beginning."""

    def __init__(self) -> None:
        """Start empty."""
        self.keys: tuple[str, ...] = ()  # the keys that have sealed the log, in order
        self.stated: Beginning | None = None  # where the log may begin, from the newest of its statements
        self.stated_at: datetime | None = None  # when the log stated that

    def learn(self, record: Record) -> None:
        """Learn from a record of one of the events in `LINEAGE_TOLD`."""
        if record.event == BEGINS:
            self.stated, self.stated_at = stated_in(record.subject, record.body), record.at
        else:
            detail = record.block.get("detail", {})
            self.learn_keys(*(str(detail[name]) for name in KEYS_TOLD[record.event] if name in detail))

    def learn_keys(self, *keys: str) -> None:
        """Learn keys, in order. A key that seals the log again moves to the end."""
        self.keys = tuple(dict.fromkeys((*(key for key in self.keys if key not in keys), *keys)))[-MOST_KEYS:]
