"""What a plan can ask for: one act on the world, what to hand to the trail, and when to look again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.audit.record import Record
from curfew.core.bindings import Binding
from curfew.core.facts import Read
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice
from curfew.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the binding, whatever else is the case."""

    binding: Binding
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the binding. Only ever planned with a receipt in the manifest (promise P2)."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Write the status, and its outbox, if there is one here: one write, so that neither is ever without the other."""

    status: Mapping[str, Any]
    event: Event | None = None
    outbox: tuple[Record, ...] | None = None  # all that the outbox is to hold, to be sealed


@dataclass(frozen=True, slots=True)
class Close:
    """Take a finished request out of the watch."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The story is over and told: nothing about the request needs to be remembered."""


Act = Remove | Create | Patch | Close | Forget


@dataclass(frozen=True, slots=True)
class Step:
    """The next step: read more and ask again, or hand records to the trail, do one thing, say so, and when to look again."""

    reads: frozenset[Read] = frozenset()
    submit: tuple[Record, ...] = ()
    act: Act | None = None
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None
    held_up: tuple[Record, ...] = ()  # what is told as soon as the status has room for it

    @property
    def records(self) -> tuple[Record, ...]:
        """What is handed to the trail, and what is put into the status."""
        outbox = self.act.outbox if isinstance(self.act, Patch) else None
        return (*self.submit, *(outbox or ()))
