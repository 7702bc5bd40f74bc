"""Two large logs: a trail, and beside it what was done with its grants, as the monitor records it. Made once and kept."""

import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import orjson
import zstandard

from bench.logs import ABOUT, BEGIN, SAMPLE, Shape, kept, segments, signer
from curfew.audit.canonical import canonical
from curfew.audit.record import CURFEW, Record, make_record
from curfew.audit.segment import Head, seal
from curfew.core.activity import classify
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.call_records import called
from curfew.core.activity.canary_calls import CanaryClass
from curfew.core.activity.effect import How
from curfew.core.activity.records import coverage_confirmed
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from tools.servers.progress import Progress

TRAIL: Final = "main"
LOG: Final = "main-activity"
CONFIRMED: Final = timedelta(hours=1)
"""How long the intervals are that are recorded as whole. The monitor records one each minute; a reader joins them."""

TOGETHER: Final = 400
"""Records in a segment, as when the API server's batches are full."""

DEEDS: Final = (
    *(("", "pods", "list"), ("", "pods", "get"), ("", "pods", "watch"), ("", "configmaps", "get")),
    *(("apps", "deployments", "get"), ("apps", "deployments", "patch"), ("", "secrets", "get")),
)


@dataclass(frozen=True, slots=True)
class Used:
    """What the logs are to be like. Equal ones are equal byte for byte."""

    calls: int
    days: int = 90
    seed: int = 1

    @property
    def trail(self) -> Shape:
        """The trail: about 200 calls for each grant."""
        return Shape(max(100, self.calls // 20), days=self.days, seed=self.seed, log=TRAIL)


@dataclass(frozen=True, slots=True)
class MadeUsed:
    """Both logs in one folder, and what one has to know of them."""

    folder: Path
    keys: Path  # a file with both verifier keys
    calls: int
    stored: int  # bytes of the log of activity
    session: str  # NAMESPACE/NAME of one request in the middle
    person: str  # whose request it is


def made_used(used: Used, cache: Path | None = None) -> MadeUsed:
    """Return the logs in a folder of the cache; they are made if they are not there."""
    folder = kept(_key(used), lambda folder: _write(used, folder), cache)
    told = json.loads((folder / ABOUT).read_text())
    return MadeUsed(folder=folder / "log", keys=folder / "keys.pub", **told)


def _key(used: Used) -> str:
    """Return a name that changes with what is wanted, and when the code no longer makes the same bytes."""
    sample = sha256()
    small = replace(used, calls=min(SAMPLE, used.calls), days=1)
    sessions = []
    for name, stored in _trail(small):
        sample.update(name.encode() + stored)
        sessions.append(stored)
    for _, lines in _days(small, _sessions(sessions)):
        sample.update(b"\n".join(lines))
    whole = sha256(canonical(asdict(used)) + sample.digest())
    return f"{used.calls}-calls-{used.days}-days-{whole.hexdigest()[:12]}"


def _write(used: Used, folder: Path) -> None:
    with Progress(f"logs of what was done, with {used.calls:,} calls", sys.stderr) as progress:
        trail = []
        for name, stored in _trail(used):
            _store(folder / "log" / name, stored)
            trail.append(stored)
        sessions = _sessions(trail)
        head, size, calls = Head.genesis(LOG), 0, 0
        for at, lines in _days(used, sessions):
            for begin in range(0, len(lines), TOGETHER):
                name = head.next_name()
                stored, head = seal(
                    head, lines[begin : begin + TOGETHER], at=at, writer="curfew-monitor-1", signer=signer(LOG)
                )
                _store(folder / "log" / name, stored)
                size += len(stored)
            calls += len(lines)
            progress.tick(f"{calls:,} records")
    some = sessions[len(sessions) // 2]
    about = {
        "calls": used.calls,
        "stored": size,
        "session": f"{some.namespace}/{some.request}",
        "person": some.requester,
    }
    (folder / "keys.pub").write_text("".join(f"{signer(log).verifier_key}\n" for log in (TRAIL, LOG)))
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n")


def _store(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def _trail(used: Used) -> Iterator[tuple[str, bytes]]:
    return ((name, stored) for name, stored, _ in segments(used.trail))


def _sessions(trail: Sequence[bytes]) -> Sequence[Session]:
    """Return the grants in a trail, in the order in which they began."""
    known = Sessions()
    for stored in trail:
        for line in zstandard.ZstdDecompressor().decompressobj().decompress(stored).splitlines():
            body = orjson.loads(line)
            if "unmapped" in body:
                known.learn(Record.parse(body))
    return sorted(known.all(), key=lambda session: (session.announced_at, session.uid))


@dataclass(frozen=True, slots=True)
class _Day:
    """The grants that began on one day, with the number of calls of each. Each core can draw one."""

    begin: datetime
    sessions: Sequence[tuple[Session, int]]
    seed: int


def _days(used: Used, sessions: Sequence[Session]) -> Iterator[tuple[datetime, Sequence[bytes]]]:
    """Yield the records of each day as lines, in the order of their times, and when the last of them was written."""
    yield BEGIN, [_opened()]
    shares = [used.calls * (at + 1) // len(sessions) - used.calls * at // len(sessions) for at in range(len(sessions))]
    by_day = groupby(zip(sessions, shares, strict=True), key=lambda one: one[0].announced_at.date())
    days = [
        _Day(datetime.combine(date, datetime.min.time(), BEGIN.tzinfo), list(group), used.seed)
        for date, group in by_day
    ]
    if len(days) == 1:
        yield _draw(days[0])
        return
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        yield from pool.imap(_draw, days)


def _draw(day: _Day) -> tuple[datetime, Sequence[bytes]]:
    chance = random.Random(f"{day.seed}/{day.begin}")  # noqa: S311  to be had again, not secret
    records = [_called(session, chance) for session, number in day.sessions for _ in range(number)]
    for hour in range(24):
        since = day.begin + hour * CONFIRMED
        records.append(
            coverage_confirmed(
                LOG, since=since, until=since + CONFIRMED, sources=["api-1"], servers=1, classes=tuple(CanaryClass)
            )
        )
    records.sort(key=lambda record: (record.at, record.id))
    return max(day.begin + timedelta(days=1), records[-1].at), [record.line() for record in records]


def _called(session: Session, chance: random.Random) -> Record:
    group, resource, verb = chance.choice(DEEDS)
    name = "" if verb in ("list", "watch") else f"{resource}-{chance.randrange(40)}"
    begin = session.granted_at or session.announced_at
    at = begin + (session.until - begin) * chance.random()
    role = f'{session.role.kind} "{session.role.name}"' if session.role else ""
    binding = f'RoleBinding "{session.binding}/{session.namespace}"'
    path = "/".join(
        filter(None, (f"/apis/{group}/v1" if group else "/api/v1", "namespaces", session.namespace, resource, name))
    )
    call = Call(
        audit_id=f"{chance.getrandbits(128):032x}",
        stage=CallStage.RESPONSE_COMPLETE,
        received_at=at,
        at=at + timedelta(milliseconds=chance.randrange(2, 50)),
        verb=verb,
        uri=path,
        caller=Caller(session.requester, ("system:authenticated",), credential=f"X509SHA256={session.uid}"),
        group=group,
        version="v1",
        resource=resource,
        namespace=session.namespace,
        name=name,
        code=200,
        source_addresses=(f"192.0.2.{chance.randrange(250)}",),
        user_agent="kubectl/v1.37.2 (linux/amd64)",
        decision="allow",
        reason=f'RBAC: allowed by {binding} of {role} to User "{session.requester}"',
    )
    return called(session, call, How.BINDING, classify.effect(call), after_end=False)


def _opened() -> bytes:
    return make_record(
        "audit.opened",
        at=BEGIN,
        actor=CURFEW,
        message=f"The log {LOG} begins.",
        subject=LOG,
        detail={"verifier_key": signer(LOG).verifier_key},
    ).line()
