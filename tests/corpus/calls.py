"""What people do with their access, as the monitor records it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.audit.record import Record
from curfew.core.activity import call_records, classify
from curfew.core.activity.call import Call, Caller
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.effect import How
from curfew.core.activity.records import assessed
from curfew.core.activity.session import Session
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess
from tests.support.watching import a_call, refused

Did = tuple[str, str, str]

DOES: Final[dict[str, tuple[Did, ...]]] = {
    "logs": (("list", "pods", ""), ("get", "pods", "web-1"), ("get", "pods/log", "web-1")),
    "scale": (("get", "deployments.apps/scale", "web"), ("patch", "deployments.apps/scale", "web")),
    "debug": (("list", "pods", ""), ("get", "pods/log", "web-2"), ("create", "pods/exec", "web-2")),
    "jobs": (("list", "jobs.batch", ""), ("get", "jobs.batch", "sync"), ("delete", "jobs.batch", "stuck")),
    "secrets": (("list", "pods", ""), ("get", "secrets", "db"), ("get", "secrets", "queue")),
    "admin": (("list", "pods", ""), ("patch", "deployments.apps", "web"), ("get", "configmaps", "web")),
    "migrate": (("get", "deployments.apps", "web"), ("patch", "deployments.apps", "web"), ("get", "secrets", "db")),
}
"""What each role is used for: the verb, the resource as kubectl writes it, and the name."""


@dataclass(frozen=True, slots=True)
class Place:
    """From where, and with what, somebody calls."""

    address: str
    credential: str | None
    user_agent: str


def ordinary(session: Session, role: str, place: Place, chance: random.Random) -> list[Call]:
    """Return what somebody does with a role in the time that they have it."""
    begin = session.granted_at or session.announced_at
    length = session.until - begin
    number = chance.choice((1, 2, 3, 4, 7))
    calls = [
        at_place(session, did, begin + length * chance.uniform(0.01, 0.9), place)
        for did in chance.choices(DOES[role], k=number)
    ]
    if chance.random() < 0.08:
        calls.append(refused(at_place(session, ("get", "secrets", "root"), begin + length * 0.5, place)))
    return calls


def at_place(session: Session, did: Did, at: datetime, place: Place, **changes: Any) -> Call:
    """Return one call from a place."""
    verb, resource, name = did
    known: dict[str, Any] = {
        "source_addresses": (place.address,),
        "user_agent": place.user_agent,
        "caller": Caller(session.requester, ("system:authenticated",), place.credential),
    }
    if verb == "delete":
        known["uid"] = f"gone-{at:%H%M%S%f}"  # what is gone at once is answered with its UID
    return a_call(session, verb, resource, at, name=name, **(known | changes))


def recorded(session: Session, calls: Iterable[Call], how: How = How.BINDING) -> list[Record]:
    """Return the records of calls, in the order in which they ended."""
    told = []
    for call in sorted(calls, key=lambda one: one.at):
        effect = classify.effect(call)
        tie = How.PERSON if call.decision == "forbid" else how
        told.append(call_records.called(session, call, tie, effect, after_end=False))
    return told


def answered(
    session: Session, records: Iterable[Record], coverage: Coverage, at: datetime, *, given_up: bool = False
) -> Record:
    """Return the answer for a session, from the records of its calls."""
    tally = SessionTally()
    for record in records:
        tally.learn(record)
    answer = assess(session, tally, coverage, at, given_up=given_up)
    until = coverage.whole_until(session.announced_at)
    return assessed(session, answer, covered_until=until, at=at)


AFTER: Final = timedelta(seconds=95)
"""How long after the end of a grant the feed is known to have been whole until then."""
