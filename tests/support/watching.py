"""Logs of activity for tests, made by the monitor's own core: calls are attributed, recorded and assessed as it does that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from curfew.audit.record import Record
from curfew.core.activity.attribution import Attributed, Attribution, CallAlert, Gone
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.records import assessed, coverage_confirmed, coverage_lost
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess
from curfew.reader.stream import read_record
from tests.support.logs import ALog, a_signer, opened
from tests.vectors.make_vectors import BEGUN, ENDED, the_story

ACTIVITY = "main-activity"
CLASSES = ("Get", "List", "Update", "Refused")
AGENT, ADDRESS = "kubectl/v1.37.2 (linux/amd64)", "192.0.2.7"


def a_call(session: Session, verb: str, resource: str, at: datetime, *, name: str = "", **changes: Any) -> Call:
    """Return a call that a session's binding allowed; `resource` is written as kubectl does. `changes` are of the call."""
    what, _, subresource = resource.partition("/")
    kind, _, group = what.partition(".")
    role = session.role
    of = f'{role.kind} "{role.name}"' if role is not None else 'ClusterRole "debug"'
    path = "/".join(filter(None, (kind, name, subresource)))
    call = Call(
        audit_id=f"{session.uid[:8]}-{at:%H%M%S%f}-{verb}-{kind}",
        stage=CallStage.RESPONSE_COMPLETE,
        received_at=at,
        at=at + timedelta(milliseconds=12),
        verb=verb,
        uri=f"/{f'apis/{group}' if group else 'api'}/v1/namespaces/{session.namespace}/{path}",
        caller=Caller(session.requester, ("system:authenticated",)),
        group=group,
        version="v1",
        resource=kind,
        subresource=subresource,
        namespace=session.namespace,
        name=name,
        code=101 if subresource == "exec" else 201 if verb == "create" else 200,
        source_addresses=(ADDRESS,),
        user_agent=AGENT,
        decision="allow",
        reason=f'RBAC: allowed by RoleBinding "{session.binding}/{session.namespace}" of {of} to User "{session.requester}"',
    )
    return replace(call, **changes)


def refused(call: Call) -> Call:
    """Return the same call, if nothing allows it."""
    return replace(call, code=403, decision="forbid", reason="")


class Watch:
    """The monitor's fold over a trail and calls, without its intake: it keeps the records that it would append."""

    def __init__(self, trail: Iterable[Record], log: str = ACTIVITY) -> None:
        """Know the trail."""
        self.log = log
        self.sessions = Sessions()
        for record in trail:
            self.sessions.learn(record)
        self.records: list[Record] = []
        self._attribution = Attribution(self.sessions)
        self._coverage = Coverage()
        self._tallies: dict[str, SessionTally] = {}
        self._ids: set[str] = set()

    def see(self, *calls: Call) -> list[str]:
        """Take calls, and return the UIDs of the sessions of which something was deleted that they had left behind."""
        found = [one for call in calls for one in self._seen(call)]
        return [one.session.uid for one in found if isinstance(one, Gone)]

    def _seen(self, call: Call) -> Sequence[Attributed | CallAlert | Gone]:
        found = self._attribution.attribute(call)
        for one in found:
            self.append(one.record)
        return found

    def confirm(self, since: datetime, until: datetime) -> None:
        """Know that the feed was whole in an interval."""
        self.append(
            coverage_confirmed(self.log, since=since, until=until, sources=["api-1"], servers=1, classes=CLASSES)
        )

    def lose(self, since: datetime, at: datetime, why: str) -> None:
        """Know that the feed was not whole in an interval."""
        self.append(coverage_lost(self.log, since=since, at=at, why=why))

    def assess(self, uid: str, now: datetime, *, given_up: bool = False) -> None:
        """Record the answer for a session."""
        session = self.sessions.get(uid)
        assert session is not None
        tally = self._tallies.get(uid) or SessionTally()
        answer = assess(session, tally, self._coverage, now, given_up=given_up)
        until = self._coverage.whole_until(session.announced_at)
        self.append(assessed(session, answer, covered_until=until, at=now))

    def append(self, record: Record) -> None:
        """Append a record, unless the log has it."""
        if record.id in self._ids:
            return
        self._ids.add(record.id)
        self.records.append(record)
        self._attribution.learn(record)
        self._coverage.learn(record)
        self._tallies.setdefault(record.subject, SessionTally()).learn(record)


def records_of(log: ALog) -> list[Record]:
    """Return the records of a log."""
    return [record for record in map(read_record, log.lines) if record is not None]


RULES = [
    {"apiGroups": [""], "resources": ["pods", "pods/log", "services", "events"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db", "queue"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
]
"""What alice's role allowed."""


def the_trail() -> ALog:
    """Return the specification's log, with the rules of the role in its announcement, as the operator writes them."""
    log = ALog()
    log.append([opened(log.signer)])
    log.append([with_rules(record, RULES) for record in the_story()])
    return log


def with_rules(record: Record, rules: Sequence[Mapping[str, Any]]) -> Record:
    """Return a record with these rules, if it announces a grant."""
    if record.event != "grant.intended":
        return record
    block = {**record.block, "detail": {**record.block.get("detail", {}), "rules": list(rules)}}
    return replace(record, body={**record.body, "unmapped": {"curfew": block}})


def the_watch() -> Watch:
    """Return what the monitor knows of a log with one grant for a minute: nothing was called yet."""
    watch = Watch(records_of(the_trail()))
    watch.confirm(BEGUN - timedelta(minutes=2), ENDED + timedelta(seconds=2))
    return watch


def the_session(watch: Watch) -> Session:
    """Return the one session of the trail."""
    (session,) = watch.sessions.all()
    return session


def the_calls(watch: Watch) -> list[Call]:
    """Return what alice did in her minute: reads, one change, one connection of 12 s, and something that was refused."""
    session = the_session(watch)

    def call(seconds: float, verb: str, resource: str, name: str = "") -> Call:
        return a_call(session, verb, resource, BEGUN + timedelta(seconds=seconds), name=name)

    connection = call(31.5, "create", "pods/exec", "web-1")
    return [
        call(2, "list", "pods"),
        call(9, "get", "secrets", "db"),
        call(20, "patch", "deployments.apps", "web"),
        refused(call(25, "delete", "deployments.apps", "web")),
        replace(connection, at=connection.at + timedelta(seconds=12)),
    ]


def sealed(watch: Watch, *, signer_seed: int = 7) -> ALog:
    """Return the log of all that a watch has recorded: record 0 opens it."""
    signer = a_signer(watch.log, seed=signer_seed)
    log = ALog(watch.log, signer)
    log.append([opened(signer, watch.log)])
    half = len(watch.records) // 2
    log.append(watch.records[:half])
    log.append(watch.records[half:])
    return log


def the_activity() -> ALog:
    """Return the log of activity beside `the_trail`: 1 to 5 are calls, 6 is coverage, 7 the answer."""
    watch = Watch(records_of(the_trail()))
    watch.see(*the_calls(watch))
    watch.confirm(BEGUN - timedelta(minutes=2), ENDED + timedelta(seconds=2))
    watch.assess(the_session(watch).uid, ENDED + timedelta(seconds=3))
    return sealed(watch)
