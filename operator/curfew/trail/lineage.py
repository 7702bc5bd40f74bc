"""What a log tells of itself: which keys have sealed it, and where it may begin."""

from datetime import datetime

from curfew.audit.beginning import EVENT as BEGINS
from curfew.audit.beginning import Beginning, stated_in
from curfew.audit.record import Record

KEYS_TOLD = {"audit.opened": ("verifier_key",), "audit.key_rotated": ("previous_key", "verifier_key")}
"""The events that name keys of the log, and where."""

LINEAGE_TOLD = frozenset({*KEYS_TOLD, BEGINS})
"""The events that a lineage learns from."""

MOST_KEYS = 64
"""How many keys of the log are known: those that have sealed its newest parts."""


class Lineage:
    """The keys of a log, and the newest of its statements."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.keys: tuple[str, ...] = ()  # that have sealed the log, in order
        self.stated: Beginning | None = None  # where the log may begin, by the newest of its statements
        self.stated_at: datetime | None = None  # when it stated that

    def learn(self, record: Record) -> None:
        """Take in a record of one of the events in `LINEAGE_TOLD`."""
        if record.event == BEGINS:
            self.stated, self.stated_at = stated_in(record.subject, record.body), record.at
        else:
            detail = record.block.get("detail", {})
            self.learn_keys(*(str(detail[name]) for name in KEYS_TOLD[record.event] if name in detail))

    def learn_keys(self, *keys: str) -> None:
        """Take in keys, in order: one that seals the log again counts as a later one."""
        self.keys = tuple(dict.fromkeys((*(key for key in self.keys if key not in keys), *keys)))[-MOST_KEYS:]
