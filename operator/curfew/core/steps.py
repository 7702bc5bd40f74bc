"""What a plan can ask for: one act on the world, what to hand to the trail, and when to look again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.audit.record import Record
from curfew.core.bindings import Binding
from curfew.core.facts import Read, ToldEnd
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice
from curfew.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the binding, whatever the rest of the state is."""

    binding: Binding
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the binding. This is only planned with a receipt in the manifest (promise P2)."""

    manifest: Mapping[str, Any]
    ends: datetime  # when it will have to be removed: it must not be stored later than that


@dataclass(frozen=True, slots=True)
class Patch:
    """Write the status, together with its outbox if `outbox` is set. One write, so that neither exists without the other."""

    status: Mapping[str, Any]
    event: Event | None = None
    outbox: tuple[Record, ...] | None = None  # the whole new outbox, still to be sealed


@dataclass(frozen=True, slots=True)
class Close:
    """Take a finished request out of the watch."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The story is over and recorded: nothing about the request needs to be remembered."""


Act = Remove | Create | Patch | Close | Forget


@dataclass(frozen=True, slots=True)
class Step:
    """The next step: hand records to the trail, and then read more and ask again; or do one act, report it, and look again."""

    reads: frozenset[Read] = frozenset()
    submit: tuple[Record, ...] = ()
    act: Act | None = None
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None
    told_end: ToldEnd | None = None  # the end whose records are in `submit`
    held_up: tuple[Record, ...] = ()  # records to be written as soon as the status has room for them

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that are handed to the trail, and those that are put into the status."""
        outbox = self.act.outbox if isinstance(self.act, Patch) else None
        return (*self.submit, *(outbox or ()))
