"""The counts of one session, folded from the records of its calls. The order of the records makes no difference.

Each thing that is remembered has a bound. Where a bound was reached, the count goes on or says so.
"""

from collections import Counter
from datetime import datetime
from typing import Final

from curfew.api.activity import MOST_OBJECTS, MOST_SOURCES
from curfew.audit.record import Record
from curfew.core.activity.classify import READS
from curfew.core.activity.derived import MOST_TOKENS
from curfew.core.activity.earliest import Earliest
from curfew.core.activity.effect import DERIVED, OWN, Effect, How, Sensitive
from curfew.core.activity.recorded import POD_DELETED, RecordedCall, is_call
from curfew.core.activity.remains import Remains
from curfew.core.activity.streams import OpenStream, Streams, lasts
from curfew.core.activity.wording import object_of

MOST_COUNTED: Final = 1_000
"""How many different objects are counted. Beyond, a count is "more than" that."""

_LONGEST_SOURCE: Final = 64
_HAPPENED: Final = (Effect.READ, Effect.CHANGED, Effect.OPAQUE, Effect.UNSURE)


class SessionTally:
    """What was done in one session. Feed it with the session's records, each once."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.effects: Counter[Effect] = Counter()  # of own and derived calls that have ended, and of refused ones
        self.candidates: Counter[tuple[How, Effect]] = Counter()  # calls that other access allowed, or may have
        self.derived = 0
        self.unreadable = 0  # records of calls that this version cannot read
        self.tokens = 0
        self.lists = 0  # calls that read a whole collection
        self.objects_read = Earliest(MOST_COUNTED, 0)
        self.objects_changed = Earliest(MOST_COUNTED, MOST_OBJECTS)
        self.sources = Earliest(MOST_COUNTED, MOST_SOURCES)
        self.sensitive: set[Sensitive] = set()
        self.streams = Streams()
        self.remains = Remains()
        self.deleted_pods: set[str] = set()  # names of the pods that the monitor deleted at the end
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None

    def learn(self, record: Record) -> None:
        """Learn a record of the session's. Records that are not about calls count nothing."""
        seen = RecordedCall.of(record)
        if seen is None:
            self.unreadable += is_call(record)
            self.remains.learn(record)
            if record.event == POD_DELETED:
                self.deleted_pods.add(str(record.block.get("detail", {}).get("name", "")))
            return
        if seen.has_ended:
            self.remains.learn_call(seen)
        if seen.how in OWN:
            self._learn_own(seen)
        elif seen.has_ended and seen.how is How.PERSON:
            self.effects[seen.effect] += 1
        elif seen.has_ended:
            self.candidates[seen.how, seen.effect] += 1

    @property
    def reads(self) -> int:
        """How many calls read, watches that are open among them."""
        return self.effects[Effect.READ] + self.streams.outputs

    @property
    def writes(self) -> int:
        """How many calls changed something."""
        return self.effects[Effect.CHANGED]

    @property
    def denied(self) -> int:
        """How many calls were refused."""
        return self.effects[Effect.DENIED]

    @property
    def unsure(self) -> int:
        """How many calls may have changed something with the access, and their events do not show whether they did."""
        maybe = (Effect.CHANGED, Effect.UNSURE, Effect.OPAQUE)
        return self.effects[Effect.UNSURE] + sum(self.candidates[How.UNEXPLAINED, effect] for effect in maybe)

    @property
    def open_streams(self) -> tuple[OpenStream, ...]:
        """The watches and connections that have begun and were not seen to end, the oldest first."""
        return self.streams.open

    @property
    def opaque(self) -> int:
        """How many connections there were that nobody sees into, those that are open among them."""
        return self.streams.opaque

    @property
    def standing(self) -> int:
        """How many calls of the same person other access allowed, or may have, that this access would have allowed."""
        return self.candidates.total()

    @property
    def is_used(self) -> bool:
        """Whether there was any call with the access, or any by its person that it would have allowed, or that was refused."""
        return bool(self.effects or self.candidates or self.streams.open or self.unreadable)

    @property
    def tokens_not_followed(self) -> int:
        """How many tokens were minted beyond those whose calls are followed."""
        return max(self.tokens - MOST_TOKENS, 0)

    def _learn_own(self, seen: RecordedCall) -> None:
        self._learn_time(seen)
        for address in {*seen.addresses[:1], *seen.addresses[-1:]}:
            self.sources.add(address[:_LONGEST_SOURCE], seen.at)
        if seen.effect in _HAPPENED:
            self.sensitive |= {seen.sensitive} if seen.sensitive is not None else set()
            self.sensitive |= {Sensitive.IMPERSONATION} if seen.how is How.IMPERSONATION else set()
        if not seen.has_ended:
            self.streams.begin(seen)
            return
        if lasts(seen):
            self.streams.end(seen)
        self.effects[seen.effect] += 1
        self.derived += seen.how in DERIVED
        if seen.effect is Effect.CHANGED:
            self.tokens += seen.issued_credential is not None
            self._learn_change(seen)
        elif seen.effect is Effect.READ and seen.resource:
            if seen.name:
                self.objects_read.add(object_of(seen.group, seen.resource, seen.namespace, seen.name), seen.at)
            else:
                self.lists += seen.verb in READS

    def _learn_change(self, seen: RecordedCall) -> None:
        name = seen.name or ("(generated name)" if seen.verb == "create" else "*")
        if seen.verb == "create" and seen.subresource:
            name = f"{name} ({seen.subresource})"  # a token or an eviction is something new; a scale is a part of its object
        what = object_of(seen.group, seen.resource, seen.namespace, name, home=_home(seen))
        # Each creation with a generated name makes another object.
        is_one = bool(seen.name) or seen.verb != "create"
        self.objects_changed.add(what, seen.at, key=what if is_one else f"{what} {seen.call}")

    def _learn_time(self, seen: RecordedCall) -> None:
        self.first_at = min(seen.at, self.first_at or seen.at)
        self.last_at = max(seen.at + seen.lasted, self.last_at or seen.at)


def _home(seen: RecordedCall) -> str:
    """Return the namespace of the grant, which need not be named."""
    story = seen.record.block.get("story")
    return str(story.get("namespace", "")) if isinstance(story, dict) else ""
