"""What happens in the company, written into both logs as the operator and the monitor would write it."""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from curfew.audit.record import Record
from curfew.core import policy_records
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.effect import How
from curfew.core.activity.noticing.places import credential_of, network_of
from curfew.core.activity.noticing.records import SeenBy, person_seen
from curfew.core.activity.records import coverage_confirmed, coverage_lost
from curfew.core.activity.session import Session
from tests.corpus.calls import AFTER, Place, answered, ordinary, recorded
from tests.corpus.company import Company, Laptop, Person
from tests.corpus.requests import WHY, Told
from tests.corpus.roles import Offer
from tests.support.watching import ACTIVITY, CLASSES

Doing = Callable[[Session, Place], Sequence[Call]]

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Planted:
    """An incident that has to be found: by which detector, about whom or what, and in which time."""

    detector: str
    what: str
    since: datetime
    until: datetime
    people: tuple[str, ...] = ()
    policy: tuple[str, str] = ("", "")
    also: frozenset[str] = frozenset()
    """Other detectors that rightly raise something about the same people or policy in the same time."""


@dataclass(frozen=True, slots=True)
class Odd:
    """Something that is odd, and nothing to raise an alarm about: what it looks like, whom it is about, and when."""

    what: str
    detectors: frozenset[str]
    since: datetime
    until: datetime
    people: frozenset[str]


@dataclass
class Life:
    """Both logs as they grow, in any order, and what was planted."""

    chance: random.Random
    company: Company
    begin: date
    days: int
    trail: list[Record] = field(default_factory=list)
    activity: list[Record] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    travels: dict[str, tuple[date, date, str]] = field(default_factory=dict)
    away: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    """When people do nothing that is ordinary, because they are in an incident."""

    holes: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When the feed of audit events was not whole."""

    _number: int = 0
    _seen: set[tuple[str, str, str, date]] = field(default_factory=set)
    _busy: dict[str, list[datetime]] = field(default_factory=dict)

    # --- who is where -----------------------------------------------------------------------------------------------

    def place(self, person: Person, at: datetime, *, laptop: Laptop | None = None, at_home: bool = False) -> Place:
        """Return from where and with what somebody works at a time."""
        day = at.date()
        laptop = laptop or self.chance.choice(person.laptops)
        address = person.home if at_home or (person.number + day.toordinal()) % 5 > 2 else person.office
        travel = self.travels.get(person.name)
        if travel is not None and travel[0] <= day <= travel[1]:
            address = travel[2]
        return Place(address, person.credential(laptop, day), laptop.user_agent)

    def seen(self, person: str, at: datetime, place: Place, by: SeenBy = SeenBy.REQUEST) -> None:
        """Somebody called: once for each network, credential and day, that is a record."""
        call = about_requests(person, at, place)
        network, credential = network_of(call), credential_of(call)
        key = person, network, credential, at.date()
        if key not in self._seen:
            self._seen.add(key)
            self.activity.append(person_seen(call, ACTIVITY, network=network, credential=credential, by=by))

    # --- requests ---------------------------------------------------------------------------------------------------

    def ask(self, person: Person, offer: Offer, at: datetime, *, place: Place | None = None, **more: Any) -> Told:
        """Somebody asks for access."""
        place = place or self.place(person, at)
        self.seen(person.name, at, place)
        self._number += 1
        more = {"duration": self.chance.choice((900, 1800, 3600, 3600, 7200)), "why": self.chance.choice(WHY), **more}
        return Told.asked(self.uid(), self._number, person, offer, at, **more)

    def reject(self, person: Person, offer: Offer, at: datetime) -> None:
        """Somebody asks for what can never be granted."""
        self._number += 1
        told = Told.rejected(self.uid(), self._number, person, offer, at, why=self.chance.choice(WHY))
        self.trail += told.records

    def use(
        self,
        told: Told,
        person: Person,
        doing: Doing | None = None,
        *,
        place: Place | None = None,
        how: How = How.BINDING,
    ) -> None:
        """The access of a request that has ended is used, and the monitor answers for it."""
        self.trail += told.records
        session = told.session
        begin = session.granted_at or session.announced_at
        place = place or self.place(person, begin)
        calls = doing(session, place) if doing is not None else ordinary(session, told.offer.role, place, self.chance)
        if person.renews_each_hour:
            calls = [_renewed(call) for call in calls]
        for call in calls:
            if call.caller.name == person.name:
                there = Place(call.source_addresses[0], call.caller.credential, call.user_agent or "")
                self.seen(person.name, call.at, there, SeenBy.GRANT)
        records = recorded(session, calls, how)
        self.activity += records
        self.activity.append(answered(session, records, self.coverage, session.until + AFTER, given_up=False))

    def uid(self) -> str:
        """Return a new UID."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def is_free(self, person: Person, at: datetime, length: timedelta = 2 * HOUR) -> bool:
        """Whether somebody has asked for nothing around a time, and from now on has."""
        if any(since <= at <= until for since, until in self.away.get(person.name, ())):
            return False
        busy = self._busy.setdefault(person.name, [])
        if any(abs(one - at) < length for one in busy):
            return False
        busy.append(at)
        return True

    # --- what is not about people -----------------------------------------------------------------------------------

    def offer(self, offer: Offer, at: datetime, last: Record | None = None, **spec: Any) -> Record:
        """A policy is made, or changed: `last` is its last record, and `spec` what it has instead of what is usual."""
        record = policy_records.changed(offer.to_policy(**spec), last, at=at)
        assert record is not None
        self.trail.append(record)
        return record

    def cover(
        self, since: datetime, until: datetime, every: timedelta, holes: Sequence[tuple[datetime, datetime]]
    ) -> None:
        """The feed of audit events is whole from a time to another, except in holes."""
        for begin, end in holes:
            self._covered(coverage_lost(ACTIVITY, since=begin, at=end, why="no test call of API server api-2 arrived"))
        at = since
        while at < until:
            upto = min(at + every, until)
            hole = next(((begin, end) for begin, end in holes if begin < upto and at < end), None)
            if hole is not None:
                upto = max(hole[0], at)
            if upto > at:
                self._covered(
                    coverage_confirmed(ACTIVITY, since=at, until=upto, sources=["api-1"], servers=1, classes=CLASSES)
                )
            at = hole[1] if hole is not None else upto

    def _covered(self, record: Record) -> None:
        self.coverage.learn(record)
        self.activity.append(record)


def about_requests(person: str, at: datetime, place: Place, verb: str = "create") -> Call:
    """Return a call of somebody's about requests."""
    return Call(
        audit_id=f"{person}-{at:%Y%m%d%H%M%S%f}",
        stage=CallStage.RESPONSE_COMPLETE,
        received_at=at,
        at=at + timedelta(milliseconds=9),
        verb=verb,
        uri="/apis/curfew.dev/v1alpha1/namespaces/payments/accessrequests",
        caller=Caller(person, ("system:authenticated",), place.credential),
        group="curfew.dev",
        version="v1alpha1",
        resource="accessrequests",
        namespace="payments",
        code=201,
        source_addresses=(place.address,),
        user_agent=place.user_agent,
        decision="allow",
    )


def _renewed(call: Call) -> Call:
    """Return a call with the token of its hour, if it was made with a token."""
    credential = call.caller.credential or ""
    if not credential.startswith("JTI=0"):
        return call
    return replace(call, caller=replace(call.caller, credential=f"{credential}{call.received_at:%H}"))
