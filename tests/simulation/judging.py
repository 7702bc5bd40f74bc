"""Judges a world: promises P1, P2 and P7 by the checkers that judge real logs, and P10 by what is left."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from curfew.evidence.history.facts import RecordTold
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms, UnreachableTime
from curfew.trail.recovery import records_of
from tests.simulation.replica import BEGIN
from tests.simulation.schedule import REPLICAS, SimulatedSchedule, TroubleComes
from tests.simulation.servers import FINAL
from tests.support.trail import segments

if TYPE_CHECKING:
    from tests.simulation.running import SimulatedWorld

ENDS = {
    "Revoke": {("Revoked", "RevokedByApprover"), ("Expired", "DurationElapsed")},
    "Deny": {("Denied", "DeniedByApprover")},
    "Cancel": {
        ("Cancelled", "CancelledByRequester"),
        ("Revoked", "ReleasedByRequester"),
        ("Expired", "DurationElapsed"),
    },
    "delete": set(),
}
"""How a request may end, by what people do about it: phase and reason."""

LATE = timedelta(seconds=2)
STARTING = 6.0
"""How long a replica needs after a trouble to be of use again: connections, lists, a failed call tried again."""


WAITING = 30.0
"""How long a call waits for an answer that will not come, in seconds."""


def is_settled(world: "SimulatedWorld") -> bool:
    """Whether nothing is left to do."""
    return not list(_unfinished(world))


# A call to make a binding may land when its sender leads no more, and the binding was made and removed by others meanwhile.
# Nothing can refuse it if its end is still ahead. It is removed at once, and that is recorded: `grant.orphan_removed`.


def judge(world: "SimulatedWorld") -> list[str]:
    """Return, as sentences, what broke."""
    broken = [f"P10: {what}" for what in (*_unfinished(world), *_unexplained(world))]
    history = MergedHistory(JudgingTerms(late=LATE, patience=timedelta(seconds=1000), outages=_outages(world.schedule)))
    try:
        written = segments(world.store.objects)
    except Exception as error:  # noqa: BLE001  whatever is wrong with the log
        return [*broken, f"P7: the log is not whole: {error}"]
    told: list[RecordTold] = []
    for segment in written:
        told += [
            RecordTold(index, segment.at, record) for index, record in enumerate(records_of(segment), segment.first)
        ]
    facts = sorted([*world.api.facts, *told], key=lambda fact: fact.at)
    begin = min((fact.at for fact in facts), default=BEGIN)
    end = world.api._clock.now()
    for cover in (history.cover_calls, history.cover_watch, history.cover_trail):
        cover(begin)
    history.take_all(facts)
    for cover in (history.cover_calls, history.cover_watch, history.cover_trail):
        cover(end)
    judgement = history.judge()
    swept = {one.record.subject for one in told if one.record.event == "grant.orphan_removed"}
    broken += [
        f"{breach.promise}: {breach.sentence}"
        for found in judgement.breaches.values()
        for breach in found
        if not ("was made again" in breach.sentence and breach.subject in swept)
    ]
    ids = [one.record.id for one in told]
    broken += [f"P7: record {id_} is there twice" for id_ in {id_ for id_ in ids if ids.count(id_) > 1}]
    return broken + list(_beside_the_leader(written))


def _beside_the_leader(written: Iterable[object]) -> Iterable[str]:
    """Yield each segment of a writer that another had taken over from: nobody comes back without taking over again."""
    last = ""
    for segment in written:
        writer = getattr(segment, "writer", "")
        events = [record.event for record in records_of(segment)]  # type: ignore[arg-type]
        if last and writer != last and "audit.leader_changed" not in events:
            yield f"P7: {writer} wrote segment {getattr(segment, 'seq', '?')} beside {last}"
        last = writer


def _unfinished(world: "SimulatedWorld") -> Iterable[str]:
    for body in world.api.all("AccessRequest"):
        name, status = body["metadata"]["name"], body.get("status", {})
        if status.get("phase") not in FINAL:
            yield f"{name} is {status.get('phase')} at the end"
        elif status.get("outbox"):
            yield f"{name} has records in its outbox at the end"
        elif not body["metadata"].get("labels"):
            yield f"{name} is not closed at the end"
    for body in world.api.all("RoleBinding"):
        yield f"{body['metadata']['name']} is there at the end"


def _unexplained(world: "SimulatedWorld") -> Iterable[str]:
    """Yield each request that ended otherwise than people wanted: nothing that fails may change what becomes of it."""
    for body in world.api.all("AccessRequest"):
        name, status = body["metadata"]["name"], body.get("status", {})
        wanted = {act.what for act in world.schedule.people if act.request == name} & set(ENDS)
        ends = set().union(*(ENDS[what] for what in wanted)) if wanted else {("Expired", "DurationElapsed")}
        ends |= {("Failed", "WindowElapsed")}  # what is in the way of a grant may last longer than the access would
        end = (status.get("phase"), status.get("endReason"))
        if end not in ends:
            yield f"{name} ended as {end[0]} ({end[1]}), and nobody wanted that"


def _outages(schedule: SimulatedSchedule) -> list[UnreachableTime]:
    """Return the times in which neither replica could end an access."""
    first, second = ([_span(one) for one in schedule.troubles if one.replica == name] for name in REPLICAS)
    found = []
    for a in [(0.0, STARTING), *first]:
        for b in [(0.0, STARTING), *second]:
            since, until = max(a[0], b[0]), min(a[1], b[1])
            if since < until:
                found.append((since, until))
    merged: list[list[float]] = []
    for since, until in sorted(found):
        if merged and since <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], until)
        else:
            merged.append([since, until])
    return [UnreachableTime(BEGIN + timedelta(seconds=a), BEGIN + timedelta(seconds=b)) for a, b in merged]


def _span(trouble: TroubleComes) -> tuple[float, float]:
    if trouble.kind in ("lose", "lose answer", "late"):
        # An end waits for the answer of no call but its own, and nobody knows when the next such call comes.
        return trouble.at, 100_000.0 if trouble.what == "delete_binding" else trouble.at
    unanswered = WAITING if trouble.kind == "cut" else 0.0
    return trouble.at, trouble.at + trouble.lasts + trouble.by + unanswered + STARTING
