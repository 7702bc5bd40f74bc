"""What was done with the grants of a generated quarter, as the monitor's core records it, and what the answers have to be."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from curfew.core.activity.call import Call
from curfew.core.activity.session import Session
from tests.support.logs import ALog, a_signer, opened
from tests.support.quarter import BEGIN, END, Quarter
from tests.support.watching import ACTIVITY, Watch, a_call, records_of, refused

_WAYS = (("idle", 25), ("reads", 40), ("changes", 15), ("refused", 10), ("exec", 10))
"""What people do, and how many in a hundred do it."""

READS = (("list", "pods", ""), ("get", "pods", "web-1"), ("get", "pods/log", "web-1"), ("get", "secrets", "db"))
CHANGES = (
    ("patch", "deployments.apps", "web"),
    ("create", "jobs.batch", "migrate"),
    ("delete", "jobs.batch", "migrate"),
)
USED = {"list pods", "get pods", "get pods/log", "get secrets named db", "patch deployments.apps"}

HOLES = tuple(BEGIN + timedelta(days=days) for days in (9.5, 40.25, 71))
"""When the feed was not whole, for `HOLE` each."""

HOLE = timedelta(hours=40)


@dataclass
class WatchedQuarter:
    """A quarter, the log of its activity, and the answers that have to be found, by UID."""

    quarter: Quarter
    log: ALog
    ways: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    calls: int = 0


def watched(quarter: Quarter, *, seed: int = 1) -> WatchedQuarter:
    """Return a quarter with a log of its activity. The feed is whole except in `HOLES`."""
    chance = random.Random(seed)  # noqa: S311  to be had again, not secret
    watch = Watch(records_of(quarter.log))
    made = WatchedQuarter(quarter, ALog(ACTIVITY, a_signer(ACTIVITY, seed=7)))
    steps: list[tuple[datetime, int, Call | tuple[datetime, datetime] | str]] = []
    number = 0

    def at(when: datetime, what: Call | tuple[datetime, datetime] | str) -> None:
        nonlocal number
        number += 1
        steps.append((when, number, what))

    for interval in whole():
        at(interval[1], interval)
    for session in watch.sessions.all():
        way = chance.choices([name for name, _ in _WAYS], [weight for _, weight in _WAYS])[0]
        made.ways[session.uid] = way
        for call in _calls(session, way, chance):
            at(call.at, call)
            made.calls += 1
        if session.ended_at is not None:
            at(session.ended_at + timedelta(hours=60), session.uid)  # as soon as it is known that the feed was whole
    assessed: set[str] = set()
    for _, _, what in sorted(steps, key=lambda one: one[:2]):
        if isinstance(what, Call):
            for uid in watch.see(what):
                if uid in assessed:
                    watch.assess(uid, what.at, given_up=True)
        elif isinstance(what, str):
            watch.assess(what, _end(watch, what) + timedelta(hours=60), given_up=True)
            assessed.add(what)
        else:
            watch.confirm(*what)
    made.answers = {session.uid: _answer(session, made.ways[session.uid]) for session in watch.sessions.all()}
    made.log.append([opened(made.log.signer, ACTIVITY)], BEGIN)
    for place in range(0, len(watch.records), 500):
        made.log.append(watch.records[place : place + 500], BEGIN + timedelta(hours=1, seconds=place))
    return made


def whole() -> Iterator[tuple[datetime, datetime]]:
    """Yield the intervals in which the feed was whole, each of at most twelve hours."""
    at = BEGIN - timedelta(hours=1)
    while at < END + timedelta(days=2):
        hole = next((begin for begin in HOLES if at < begin + HOLE and begin <= at), None)
        if hole is not None:
            at = hole + HOLE
            continue
        until = min([at + timedelta(hours=12), *(begin for begin in HOLES if begin > at)])
        yield at, until
        at = until


def _calls(session: Session, way: str, chance: random.Random) -> Iterator[Call]:
    begin = session.granted_at or session.announced_at
    length = session.until - begin

    def some(kinds: tuple[tuple[str, str, str], ...], number: int) -> Iterator[Call]:
        for verb, resource, name in chance.choices(kinds, k=number):
            when = begin + length * chance.uniform(0.01, 0.9)
            yield a_call(session, verb, resource, when.replace(microsecond=chance.randrange(10**6)), name=name)

    if way == "idle":
        return
    yield from some(READS, chance.randrange(1, 6))
    if way == "changes":
        yield from some(CHANGES[:1], 1)
        yield from some(CHANGES, chance.randrange(3))
    if way == "refused":
        yield from (refused(call) for call in some((("delete", "nodes", "n1"), ("get", "secrets", "root")), 2))
    if way == "exec":
        yield from (
            replace(call, at=call.at + timedelta(seconds=30)) for call in some((("create", "pods/exec", "web-1"),), 1)
        )


def _end(watch: Watch, uid: str) -> datetime:
    session = watch.sessions.get(uid)
    assert session is not None
    assert session.ended_at is not None
    return session.ended_at


def _answer(session: Session, way: str) -> str:
    if way == "changes":
        return "Yes"
    touches = any(session.announced_at < begin + HOLE and session.until > begin for begin in HOLES)
    return "Unknown" if way == "exec" or touches or session.ended_at is None else "No"
