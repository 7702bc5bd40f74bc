"""A detector of lights, and an engine that follows two logs and can be killed: for tests of the engine."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from curfew.audit.record import CURFEW, Record, Story, make_record
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity, WhichLog
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.engine import Engine
from tests.support.builders import NOON

LOG = "main-activity"
MINUTE = timedelta(minutes=1)


class Lights:
    """Raises an alert for each light that goes on, resolves it when it goes off, and one for each that is on for an hour."""

    name = "Lights"
    events = frozenset({"policy.created", "policy.deleted"})

    def __init__(self, quiet: timedelta | None = None) -> None:
        self._on: dict[str, Seen] = {}
        self._quiet = quiet
        self.severity = Severity.LOW
        self.story: Story | None = None

    def learn(self, seen: Seen) -> Iterable[Finding]:
        which = seen.record.block["detail"]["policy"]
        if seen.record.event == "policy.created":
            self._on[which] = seen
            yield self._alert("on", seen, seen.at, seen)
        else:
            self._on.pop(which, None)
            yield Resolution("Lights", f"on/{which}", seen.at, "it is off", seen)
            yield Resolution("Lights", f"long/{which}", seen.at, "it is off", seen)

    def look(self, now: datetime) -> Iterable[Finding]:
        for which, seen in tuple(self._on.items()):
            if seen.at + 60 * MINUTE <= now:
                del self._on[which]
                yield self._alert("long", seen, seen.at + 60 * MINUTE, None)

    def _alert(self, kind: str, seen: Seen, at: datetime, trigger: Seen | None) -> Alert:
        which = seen.record.block["detail"]["policy"]
        return Alert(
            detector="Lights",
            key=f"{kind}/{which}",
            at=at,
            severity=self.severity,
            title="A light is on",
            message=f"the light {which} is on",
            trigger=trigger,
            evidence=(Evidence.of(seen),),
            people=("alice",),
            namespace="payments",
            policy=which,
            story=self.story,
            quiet=self._quiet,
        )


def light(which: str, after: timedelta, *, is_on: bool = True) -> Record:
    return make_record(
        "policy.created" if is_on else "policy.deleted",
        at=NOON + after,
        actor=CURFEW,
        message="m",
        subject="house",
        qualifier=f"{which}/{after}",
        detail={"policy": which},
    )


class Both:
    """Both logs, and the engine that follows them; what it returns is appended."""

    def __init__(self, quiet: timedelta | None = None) -> None:
        self.quiet = quiet
        self.logs: dict[WhichLog, list[Record]] = {log: [] for log in WhichLog}
        self.start(NOON)

    def start(self, now: datetime) -> None:
        self.lights = Lights(self.quiet)
        self.engine = Engine([self.lights], log=LOG, now=now)
        found = [Seen(record, log, index) for log, records in self.logs.items() for index, record in enumerate(records)]
        for seen in sorted(found, key=lambda one: (one.at, one.log, one.index)):
            self.engine.learn(seen)
        assert self.engine.take() == ()
        self.engine.begin(now)
        self.take()

    def see(self, *records: Record, log: WhichLog = WhichLog.TRAIL, take: bool = True) -> None:
        for record in records:
            self.logs[log].append(record)
            self.engine.look(record.at)
            self.engine.learn(Seen(record, log, len(self.logs[log]) - 1))
        if take:
            self.take()

    def look(self, now: datetime) -> None:
        self.engine.look(now)
        self.take()

    def take(self) -> None:
        for record in self.engine.take():
            self.append(record)

    def append(self, record: Record | None) -> None:
        assert record is not None
        self.logs[WhichLog.ACTIVITY].append(record)
        self.engine.learn(Seen(record, WhichLog.ACTIVITY, len(self.logs[WhichLog.ACTIVITY]) - 1))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [
            (record.event.removeprefix("alert."), record.block["detail"]["key"])
            for record in self.logs[WhichLog.ACTIVITY]
            if record.event in ("alert.raised", "alert.resolved")
        ]
