"""A quarter of a busy company, with exceptions planted in it: what a report is held against.

All is drawn from one seed. Everything that is not planted is as it should be, so that a report has to list what is in
`planted`, and nothing else.
"""

import itertools
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.api.access_request import AccessRequest
from curfew.audit.events import EVENTS
from curfew.audit.record import (
    CURFEW,
    BindingRef,
    DecisionRef,
    PolicyRef,
    Record,
    RoleRef,
    Story,
    make_record,
    record_id,
    with_end,
)
from curfew.core.counting import Tally, TallyKey, counted
from curfew.trail.queue import MOST_BYTES, MOST_RECORDS
from tests.support.builders import ALICE, a_request
from tests.support.logs import ALog, opened

PERIOD = "2026-Q3"
BEGIN = datetime(2026, 6, 29, tzinfo=UTC)
"""When the log begins: two days before the period, so that grants reach into it."""

PERIOD_BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
END = datetime(2026, 10, 1, 12, tzinfo=UTC)

HEARTBEAT = timedelta(hours=6)
"""How often a segment is sealed, with or without records: rarely, to keep tests short. A report has to be told."""

ORDINARY = (
    ("expired", 62),
    ("released", 12),
    ("revoked", 5),
    ("denied", 5),
    ("cancelled", 3),
    ("timed out", 4),
    ("rejected", 3),
    ("automatic", 4),
    ("break glass", 2),
)
"""How ordinary requests end, and how many in a hundred."""

_PEOPLE = tuple(f"{name}@example.com" for first in "abcdefghijklm" for name in (f"{first}en", f"{first}ara"))
_NAMESPACES = ("payments", "checkout", "ledger", "search", "identity", "shipping", "mail")
_ROLES = ("debug", "read-logs", "exec", "restart", "migrate", "secrets-read", "scale", "rollback")
_WHY = (
    "workers crash-loop since the 14:00 deploy",
    "the queue does not drain",
    "a migration hangs",
    "replicas disagree",
)

RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["pods", "pods/log", "services", "configmaps"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/exec", "pods/portforward"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db", "mail", "queue"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["get", "list", "patch", "delete"]},
    {"apiGroups": ["batch"], "resources": ["*"], "verbs": ["*"]},
]
"""The rules of every role: more than anybody uses."""

Timed = tuple[datetime, Record]


@dataclass(frozen=True, slots=True)
class Planted:
    """An exception that is in the log: its kind as the report calls it, and the request it is about, where it is about one."""

    kind: str
    request: str = ""


@dataclass
class Quarter:
    """The log, and what is planted in it."""

    log: ALog
    planted: list[Planted]
    asked: int  # requests of the period
    silences: list[tuple[datetime, datetime]] = field(default_factory=list)


def a_quarter(
    requests: int = 10_000, *, seed: int = 1, plant: bool = True, heartbeat: timedelta = HEARTBEAT
) -> Quarter:
    """Return a log with so many requests in the third quarter of 2026, and some before and after it."""
    people = company(seed)
    told: list[Timed] = [(BEGIN, about_log("audit.attested", BEGIN, {"evidence": "lock", "sufficient": True}))]
    days = (END - BEGIN).total_seconds()
    inside = 0
    while inside < requests:
        at = BEGIN + timedelta(seconds=people.chance.random() * days)
        if at > END - timedelta(hours=10):
            continue
        inside += PERIOD_BEGIN <= at < END - timedelta(hours=12)
        told += people.ordinary(at)
    planted, holes = (_plant(people, told, heartbeat)) if plant else ([], [])
    log = _sealed(sorted(told, key=lambda one: one[0]), holes, heartbeat)
    return Quarter(log, planted, inside + (people.planted_requests if plant else 0), holes)


def _sealed(told: list[Timed], holes: list[tuple[datetime, datetime]], heartbeat: timedelta) -> ALog:
    """Seal all records, each stretch in as many segments as it takes; what happens in a hole is sealed after it."""
    log = ALog()
    log.append([opened(log.signer)], BEGIN)
    times = [at for at, _ in told]
    done, at = 0, BEGIN
    for _ in itertools.count():
        at = next((until for since, until in holes if since <= at + heartbeat < until), at + heartbeat)
        if at > END:
            return log
        upto = bisect_right(times, at)
        for lines in _segments(record for _, record in told[done:upto]):
            log.append_lines(lines, at)
        done = upto
    raise AssertionError


def _segments(records: Iterable[Record]) -> Iterator[list[bytes]]:
    """Yield the lines of each segment, as many as the writer puts into one; of no records, one segment without lines."""
    lines: list[bytes] = []
    size = 0
    for line in (record.line() for record in records):
        if lines and (len(lines) == MOST_RECORDS or size + len(line) > MOST_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield lines


class Company:
    """People and what they ask for."""

    def __init__(self, seed: int) -> None:
        """Equal seeds are equal people."""
        self.chance = random.Random(seed)  # noqa: S311  to be had again, not secret
        self.people = _PEOPLE
        self.planted_requests = 0
        self._number = 0

    def story(self, at: datetime) -> Story:
        """Return what is known of a new request."""
        chance = self.chance
        self._number += 1
        name = f"inc-{self._number}"
        asker = chance.choice(_PEOPLE)
        role = chance.choices(_ROLES, range(len(_ROLES), 0, -1))[0]
        return Story(
            uid=f"{chance.getrandbits(128):032x}",
            namespace=chance.choices(_NAMESPACES, range(len(_NAMESPACES), 0, -1))[0],
            request=name,
            requester=asker,
            submitted_by=asker,
            reason=chance.choice(_WHY),
            ticket=f"INC-{4000 + self._number}",
            duration=chance.choice((900, 1800, 3600, 3600, 7200, 14400)),
            policy=PolicyRef(role, f"policy-{role}", 3),
            role=RoleRef("ClusterRole", role, f"role-{role}", "5e" * 32),
            decide_by=at + timedelta(hours=8),
        )

    def other(self, story: Story) -> str:
        """Return somebody else than who asked."""
        return self.chance.choice([one for one in _PEOPLE if one != story.requester])

    def ordinary(self, at: datetime) -> Iterator[Timed]:
        """Yield the records of one request with nothing wrong about it."""
        ways, weights = zip(*ORDINARY, strict=True)
        way = self.chance.choices(ways, weights)[0]
        if way in ("denied", "cancelled", "timed out", "rejected"):
            yield from self.turned_down(at, way)
        elif way == "automatic":
            yield from self.granted(at, mode="review.auto_approved")
        elif way == "break glass":
            yield from self.granted(
                at, mode="review.break_glass_invoked", reviewed=timedelta(hours=self.chance.uniform(1, 23))
            )
        else:
            yield from self.granted(at, ends=way)

    def turned_down(self, at: datetime, way: str) -> Iterator[Timed]:
        """Yield a request that nobody granted."""
        story = self.story(at)
        yield tell("request.created", at, story, actor=story.requester)
        if way == "rejected":
            yield tell("request.rejected", at, story)
            yield tell("request.closed", at, story, phase="Failed")
            return
        yield tell("request.accepted", at, story)
        assert story.decide_by is not None
        at = story.decide_by if way == "timed out" else at + timedelta(minutes=self.chance.uniform(1, 60))
        event, phase = {
            "denied": ("review.denied", "Denied"),
            "cancelled": ("request.cancelled", "Cancelled"),
            "timed out": ("request.timed_out", "TimedOut"),
        }[way]
        if way == "denied":
            by = self.other(story)
            yield tell("review.submitted", at, story, actor=by, decision="Deny", effect="TookEffect")
        yield tell(event, at, story)
        yield tell("request.closed", at, story, phase=phase)

    def granted(
        self,
        at: datetime,
        *,
        ends: str = "expired",
        mode: str = "review.approved",
        reviewed: timedelta | None = None,
        late: timedelta | None = None,
        is_announced: bool = True,
        approver: str | None = None,
        longer: int = 0,
        during: str = "",
        is_pinned: bool = True,
    ) -> Iterator[Timed]:
        """Yield a request that was granted. Each keyword after `mode` takes something from its being as it should."""
        chance, story = self.chance, self.story(at)
        if not is_pinned:
            story = replace(story, policy=None)
        yield tell("request.created", at, story, actor=story.requester)
        at += timedelta(milliseconds=chance.randrange(5, 40))
        yield tell("request.accepted", at, story)
        if mode == "review.approved":
            at += timedelta(seconds=min(25_000, chance.lognormvariate(5.8, 1.3)))
            by = approver if approver is not None else self.other(story)
            if by:
                story = replace(story, decisions=(DecisionRef(by, "Approve", "owners", "on call", at),))
                yield tell(
                    "review.submitted", at, story, actor=by, decision="Approve", effect="Counted", stage="owners"
                )
        assert story.duration is not None
        begin = at.replace(microsecond=0)
        end = begin + timedelta(seconds=story.duration + longer)
        story = replace(story, decided_at=at, starts_at=begin, expires_at=end)
        yield tell(mode, at, story)
        if is_announced:
            yield tell("grant.intended", at, story, rules=RULES)
        at += timedelta(milliseconds=chance.randrange(8, 60))
        story = replace(story, granted_at=at, binding=BindingRef(f"curfew-{story.uid}", f"binding-{story.uid}"))
        yield tell("grant.activated", at, story)
        if not is_announced:
            yield tell("grant.intended", at, story, rules=RULES)
        activated = at
        if during:
            yield tell(during, at + timedelta(seconds=60), story)
        phase = "Expired" if ends == "expired" else "Revoked"
        if ends == "expired":
            at = end + (late if late is not None else timedelta(seconds=min(5, chance.lognormvariate(-4, 1.2))))
            event, reason = "grant.expired", "DurationElapsed"
        elif ends == "never":
            return
        else:
            at += (end - at) * chance.uniform(0.1, 0.9)
            event, reason = {
                "released": ("grant.revoked", "ReleasedByRequester"),
                "revoked": ("grant.revoked", "RevokedByApprover"),
                "removed": ("grant.binding_removed", "BindingRemoved"),
                "tampered": ("grant.revoked", "BindingTampered"),
            }[ends]
        story = with_end(story, ended_at=at, end_reason=reason)
        if ends == "tampered":
            yield tell("grant.drifted", at, story)
        yield tell(event, at, story, end_reason=reason)
        if mode == "review.break_glass_invoked":
            if reviewed is None:
                return
            at = max(activated + reviewed, at)
            by = self.other(story)
            yield tell("review.submitted", at, story, actor=by, decision="Review", effect="TookEffect")
        yield tell("request.closed", at, story, phase=phase)


def _plant(
    people: Company, told: list[Timed], heartbeat: timedelta
) -> tuple[list[Planted], list[tuple[datetime, datetime]]]:
    """Put exceptions of each kind into a log, each some hours apart, and return what was put there, and the holes in it."""
    planted: list[Planted] = []
    times = (PERIOD_BEGIN + timedelta(hours=9 + 43 * number) for number in itertools.count())

    def grant(kind: str, **wrong: Any) -> None:
        records = list(people.granted(next(times), **wrong))
        people.planted_requests += 1
        story = Story.of(records[0][1])
        told.extend(records)
        planted.append(Planted(kind, story.request))

    for seconds in (61, 600, 90_000):
        grant("late-end", late=timedelta(seconds=seconds))
    grant("end-missing", ends="never")
    grant("not-reviewed", mode="review.break_glass_invoked")
    grant("not-reviewed", mode="review.break_glass_invoked", reviewed=timedelta(hours=30))
    grant("unannounced", is_announced=False)
    grant("unapproved", approver="")
    grant("longer-than-asked", longer=1)
    grant("unpinned", is_pinned=False)
    grant("binding-drifted", ends="tampered")
    grant("binding-drifted", ends="tampered")
    grant("binding-removed", ends="removed")
    grant("role-changed", during="grant.role_changed")
    grant("removal-failed", during="grant.removal_failed")

    def decided(kind: str, event: str, effect: str) -> None:
        at = next(times)
        story = people.story(at)
        people.planted_requests += 1
        told.append(tell("request.created", at, story, actor=story.requester))
        by = story.requester if effect == "OwnRequest" else people.other(story)
        at += timedelta(minutes=1)
        told.append(tell(event, at, story, actor=by, decision="Approve", effect=effect, stage="owners"))
        at += timedelta(hours=8)
        told.append(tell("request.timed_out", at, story))
        told.append(tell("request.closed", at, story, phase="TimedOut"))
        planted.append(Planted(kind, story.request))

    decided("self-approval", "review.submitted", "OwnRequest")
    decided("self-approval", "review.refused", "OwnRequest")
    decided("decision-refused", "review.refused", "TooLate")

    orphan = people.story(next(times))
    at = next(times)
    told.append((at, _event("grant.orphan_removed", at, story=replace(orphan, role=None, policy=None))))
    planted.append(Planted("orphan-binding", orphan.request))

    for kind, event in (
        ("policy-weakened", "policy.weakened"),
        ("verification-failed", "audit.verification_failed"),
        ("writer-changed", "audit.writer_changed"),
    ):
        at = next(times)
        told.append((at, about_log(event, at, {})))
        planted.append(Planted(kind))

    at = next(times)
    told.append((at, about_log("audit.attested", at, {"evidence": "none", "sufficient": False})))
    after = at + timedelta(hours=2)
    told.append((after, about_log("audit.attested", after, {"evidence": "lock", "sufficient": True})))
    planted.append(Planted("not-write-once"))

    hour = next(times).replace(minute=0, second=0, microsecond=0)
    told.append(a_count(hour, 3))
    people.planted_requests += 3
    planted.append(Planted("refusals-counted"))

    silent = [(at, at + times_as_long * heartbeat) for times_as_long in (3.1, 4) for at in (next(times),)]
    planted += [Planted("log-silent")] * len(silent)

    since = next(times)
    until = since + 4 * heartbeat
    seconds = int((until - since).total_seconds())
    failed = about_log("audit.sink_failed", since, {"reason": "StoreUnavailable"})
    recovered = about_log("audit.sink_recovered", until, {"seconds": seconds, "failed": failed.id})
    told += [(until, failed), (until, recovered)]
    planted.append(Planted("log-outage"))
    return planted, [*silent, (since, until)]


def a_count(of: datetime, number: int, *, is_exact: bool = True, **wrong: Any) -> Timed:
    """Return the record of so many refused requests, written after the hour; `wrong` is what its detail has instead."""
    tally, at = Tally(), of + timedelta(hours=1, minutes=2)
    for each in range(number):
        body = a_request(f"r{each}", created=of)
        body["metadata"]["uid"] = f"uid-{each}"
        body["status"] = {"phase": "Failed", "endReason": "LimitReached" if each else "DurationTooLong"}
        tally.add(AccessRequest.model_validate(body))
    record = counted(TallyKey(ALICE, "payments", of), tally, at=at, is_exact=is_exact)
    block = {**record.block, "detail": {**record.block["detail"], **wrong}}
    return at, replace(record, body={**record.body, "unmapped": {"curfew": block}})


def company(seed: int = 1) -> Company:
    """Return people to make requests of."""
    return Company(seed)


def tell(event: str, at: datetime, story: Story, *, actor: str | None = None, **detail: Any) -> Timed:
    """Return a record about a request, with its time."""
    qualifier = f"{actor}/{detail.get('decision', '')}" if event.startswith("review.") else ""
    return at, _event(event, at, story=story, actor=actor or CURFEW, qualifier=qualifier, detail=detail)


def about_log(event: str, at: datetime, detail: dict[str, Any]) -> Record:
    """Return a record that the log tells of itself."""
    return _event(event, at, subject="main", qualifier=at.isoformat(), detail=detail)


def _event(event: str, at: datetime, **told: Any) -> Record:
    """Return the record of any event, also of one that this version's catalogue does not have."""
    told = {"actor": CURFEW, "message": f"{event} happened.", **told}
    if event in EVENTS:
        return make_record(event, at=at, **told)
    stand_in = make_record("request.accepted", at=at, **told)
    id_ = record_id(stand_in.subject, event, told.get("qualifier", ""))
    block = {**stand_in.block, "event": event, "id": id_}
    return Record.parse({**stand_in.body, "unmapped": {"curfew": block}})
