"""What the sessions of a policy used of its role, as the records of calls show it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from curfew.audit.record import Record
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.effect import How
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.rules import allows
from curfew.core.activity.session import Session

_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Needed:
    """What a call asks RBAC for."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""

    @property
    def call(self) -> Call:
        """Return a call that asks for this."""
        return Call(
            audit_id="",
            stage=CallStage.RESPONSE_COMPLETE,
            received_at=_ANY_TIME,
            at=_ANY_TIME,
            verb=self.verb,
            uri="",
            caller=Caller(""),
            group=self.group,
            resource=self.resource,
            subresource=self.subresource,
            name=self.name,
        )

    @property
    def seen_name(self) -> str:
        """The name that RBAC sees: none for an object that is to be created, because only the body has it."""
        return "" if self.verb == "create" and not self.subresource else self.name

    def __str__(self) -> str:
        group = f".{self.group}" if self.group else ""
        subresource = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource}{group}{subresource}{f' {self.name}' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class Uses:
    """How often something was asked for, and when last."""

    count: int
    last: datetime


class Usage:
    """Takes the records of calls of the sessions of one policy. Memory grows with the kinds of calls, not with their number.

    Names of objects are told apart only if the role restricts names.
    """

    def __init__(self, *, has_names: bool) -> None:
        """`has_names` is whether any rule of the role has resourceNames."""
        self.used: dict[Needed, Uses] = {}
        self.refused: dict[Needed, Uses] = {}
        self.standing = 0  # calls that other access allowed, or may have
        self._has_names = has_names

    def take(self, session: Session, record: Record) -> None:
        """Take the record of a call of a session. Calls by tokens and pods used other rights than the grant's."""
        call = RecordedCall.of(record)
        if call is None:
            return
        needed = Needed(call.verb, call.group, call.resource, call.subresource, call.name)
        match call.how:
            case How.BINDING:
                self._count(self.used, needed, call)
            case How.IMPERSONATION:
                self._count(self.used, _acting_as(session, record), call)
            case How.PERSON:
                self._count(self.refused, needed, call)
            case How.STANDING | How.UNEXPLAINED:
                self.standing += call.has_ended

    def _count(self, into: dict[Needed, Uses], needed: Needed, call: RecordedCall) -> None:
        if not needed.resource:
            return  # a RoleBinding allows no plain URLs
        needed = replace(needed, name=needed.seen_name if self._has_names else "")
        before = into.get(needed, Uses(0, call.at))
        # A stream has two records, and needs what it needs also if its end is never seen.
        into[needed] = Uses(before.count + call.has_ended, max(before.last, call.at))


def has_names(session: Session) -> bool:
    """Whether the role of a session restricts names."""
    return any(rule.get("resourceNames") for rule in session.rules)


def _acting_as(session: Session, record: Record) -> Needed:
    """Return the permission to act as a service account, in the form that the session's role has it."""
    name = str(record.block["detail"].get("user", "")).removeprefix(_SERVICE_ACCOUNT).partition(":")[2]
    plain = Needed("impersonate", "", "serviceaccounts", "", name)
    constrained = Needed("impersonate:serviceaccount", "authentication.k8s.io", "serviceaccounts", "", name)
    return constrained if allows(session.rules, constrained.call) and not allows(session.rules, plain.call) else plain
