"""What is known about one request at one instant: the whole input of a decision, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.audit.receipt import Receipt
from curfew.audit.record import Story
from curfew.core.bindings import Binding
from curfew.core.conditions import Observation
from curfew.core.counting import TallyKey
from curfew.core.lifecycle import Event
from curfew.core.reasons import Reason
from curfew.core.seals import Outbox
from curfew.core.terms import Role, RoleSeen


class Read(StrEnum):
    """What can be read from the API server for one decision. Only what a decision asks for is read."""

    REQUEST = "request"
    BINDING = "binding"
    ROLE = "role"
    RIGHTS = "rights"
    NAME = "name"  # reading also claims the name: the first request that asks has it


STARTING = ("NotLeading", "Opening", "NotYetProved", "NotYetProbed", "NotYetCompared", "LocksNotYetListed")
"""Why nothing is granted for a moment after each start."""


@dataclass(frozen=True, slots=True)
class _State:
    """Whether something that every grant needs is in order. If not, `reason` and `message` hold why."""

    ok: bool
    reason: str
    message: str
    since: datetime

    @property
    def is_starting(self) -> bool:
        """Whether the state is normal for a moment after every start. Then nobody needs to be told."""
        return self.reason in STARTING


@dataclass(frozen=True, slots=True)
class TrailState(_State):
    """Whether records become durable now."""

    is_open: bool = True  # whether the log was read since the start, so that its contents are known


@dataclass(frozen=True, slots=True)
class EnforcementState(_State):
    """Whether our admission policies were found in force."""

    policies: tuple[str, ...] = ()  # those that were found not to be, by name


@dataclass(frozen=True, slots=True)
class ClockState(_State):
    """Whether our clock agrees with the API server's. It can be off and still be `ok`: then `reason` shows that."""


@dataclass(frozen=True, slots=True)
class LocksState(_State):
    """Whether Curfew knows which AccessLocks there are."""


Obstacle = TrailState | EnforcementState | ClockState | LocksState
"""Something that keeps all grants waiting."""


@dataclass(frozen=True, slots=True)
class Intent:
    """The durable announcement of a grant. It fixes the window once: a restart never restarts the clock."""

    story: Story  # as the announcement has it
    starts_at: datetime
    expires_at: datetime
    receipt: Receipt | None  # None: it is so old that its place in the log is forgotten; no binding is made from it
    is_own: bool  # announced by this process, which therefore knows whether a binding was made
    is_sealed: bool = False  # it is in the request's status, under our seal, but not yet in the log (decision 0071)


@dataclass(frozen=True, slots=True)
class Removal:
    """A binding that this process removed: when, and why."""

    at: datetime
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class ToldEnd:
    """The end of a story that this process handed to the log before it shows in the status."""

    at: datetime  # when it was handed over
    event: Event
    reason: Reason | None
    detail: str
    ended_at: datetime | None
    active: Observation | None
    ids: frozenset[str]  # of its records


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """The end of a story as the log has it."""

    phase: str
    reason: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server's refusal to make our binding, in its own words."""

    reason: Reason
    message: str
    again_at: datetime | None = None  # when to try again, because the refusal may pass; None: it is final


@dataclass(frozen=True, slots=True)
class Holder:
    """Another request of the same person under the same policy that holds a grant, or is about to."""

    request: str  # its name
    expires_at: datetime | None  # when the grant ends; None while it is about to be made


@dataclass(frozen=True, slots=True)
class Rivals:
    """What other requests the same person has under the same policy."""

    holders: tuple[Holder, ...] = ()  # in the order of their names
    pending: int = 0  # how many requests wait


@dataclass(frozen=True, slots=True)
class Rights:
    """What RBAC says: whether the requester may ask for the policy, and whether Curfew may bind its role."""

    requester_may_ask: bool  # by name: the groups of somebody who is not calling the API server are not known
    curfew_may_bind: bool


FRESH = timedelta(seconds=1)
"""For how long what was read from the API server is believed: a binding is made no later than that after the read."""


@dataclass(frozen=True, slots=True)
class LastRead:
    """What was read from the API server last, for a decision about a request."""

    at: datetime  # when the read was begun
    what: frozenset[Read]  # ROLE, RIGHTS or both
    role: Role | None = None  # the role that the policy offers; None: there is none, or it cannot be read
    seen: RoleSeen | None = None  # of that role
    rights: Rights | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it may still be believed."""
        return timedelta(0) <= now - self.at <= FRESH


@dataclass(frozen=True, slots=True)
class NameClaim:
    """Who has the name of a request under a policy that accepts each name only once."""

    holder: str = ""  # the UID of the first request of that name; empty if it is not known
    problem: str = ""  # why it cannot be known now, in words


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a decision about one request may look at."""

    now: datetime
    request: AccessRequest
    trail: TrailState
    enforcement: EnforcementState
    clock: ClockState
    locks: LocksState
    outbox: Outbox | None  # of the request; None while the seals are not known
    leads: bool = True  # whether this replica may grant, append and write every status
    is_gone: bool = False  # the request was deleted; `request` holds it as last seen
    lock: AccessLock | None = None  # a lock that covers the request or its binding
    locked: Mapping[str, AccessLock] = field(default_factory=dict)  # of those who decided; by `person`
    policy: AccessPolicy | None = None
    role: Role | None = None  # that the policy offers: as it was just read, or else as last seen and known in whole
    fresh: frozenset[Read] = field(default_factory=frozenset)  # which of role and rights were just read
    role_seen: RoleSeen | None = None  # the pinned role as last seen
    role_changing_since: datetime | None = None  # since when its rules have been different, if it is aggregated
    name: NameClaim | None = None  # None if no decision asked for it
    rights: Rights | None = None  # None if no decision asked for them
    binding: Binding | None = None
    lost: Binding | None = None  # the request's binding, seen by this process and gone since
    removal: Removal | None = None
    handed_over: Story | None = None  # of the announcement of the grant, if this process handed it to the trail
    told_end: ToldEnd | None = None
    recorded_end: RecordedEnd | None = None  # None: the log does not hold it, or it is too long ago
    story_closed: bool = False  # the log shows the story as closed, the status may not: etcd may have been restored
    intent: Intent | None = None  # that announcement, or that of an earlier process, once it is durable
    durable: frozenset[str] = frozenset()  # the ids of the records that were looked up and are in the trail
    refusal: Refusal | None = None
    rivals: Rivals = Rivals()
    withdrawn: int = 0  # how many requests of the person were withdrawn in the namespace in this hour, up to the limit
    counting: TallyKey | None = None  # the count that a refusal belongs to now; None: it has records of its own
    max_grant: timedelta = timedelta(hours=24)
    was_read: frozenset[Read] = field(default_factory=frozenset)  # what was read from the API server for this decision

    @property
    def announced(self) -> Story | None:
        """The story in the announcement of the grant, durable or on its way; None while there is no announcement."""
        return self.intent.story if self.intent is not None else self.handed_over

    @property
    def decided_at(self) -> datetime:
        """When the request was decided. All later records use the instant in the announcement."""
        known = self.announced.decided_at if self.announced is not None else None
        return self.request.status.decided_at or known or self.now

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """Everything that keeps all grants waiting. The end of an access never depends on it (promise P3)."""
        return tuple(state for state in (self.trail, self.enforcement, self.clock, self.locks) if not state.ok)

    @property
    def obstacle(self) -> Obstacle | None:
        """The first thing that keeps all grants waiting, or None."""
        return next(iter(self.obstacles), None)
