"""One detector by itself: records are given to it, and what it finds is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from curfew.audit.record import PolicyRef, Record
from curfew.core.activity.call import Call
from curfew.core.detectors.alert import Alert, Resolution, Seen, WhichLog
from curfew.core.detectors.all import DETECTORS, tunings
from curfew.core.detectors.detector import Detector, Finding, Looks
from curfew.core.detectors.privilege import Privilege
from tests.support.activity import AMonitor, announced, ended

PRIVILEGED = "ClusterRole/admin"
DEBUG = PolicyRef("debug", "policy-uid", 1)


def a_detector(
    name: str, by_policy: Mapping[str, Any] | None = None, privilege: Privilege | None = None, **settings: Any
) -> Detector:
    """Return a detector with settings as they are written; `by_policy` has those for policy debug in payments."""
    special = {("payments", "debug"): {name: by_policy}} if by_policy is not None else {}
    make, _ = DETECTORS[name]
    return make(tunings({name: settings}, special)[name], privilege or Privilege((PRIVILEGED,)))


class Fold:
    """A detector, and what it found."""

    def __init__(
        self, name: str, by_policy: Mapping[str, Any] | None = None, privilege: Privilege | None = None, **settings: Any
    ) -> None:
        """Begin with a detector that has learnt nothing, beside what is known of roles."""
        self.detector = a_detector(name, by_policy, privilege, **settings)
        self.found: list[Finding] = []
        self._next = dict.fromkeys(WhichLog, 0)

    def learn(self, *records: Record, log: WhichLog = WhichLog.ACTIVITY) -> list[Finding]:
        """Give it records of a log, those that it learns from, and return what follows from them."""
        return [finding for record in records for finding in self._learn(record, log)]

    def look(self, now: datetime) -> list[Finding]:
        """Let time pass."""
        return self._keep(self.detector.look(now)) if isinstance(self.detector, Looks) else []

    @property
    def alerts(self) -> list[Alert]:
        """The alerts."""
        return [one for one in self.found if isinstance(one, Alert)]

    @property
    def ends(self) -> list[Resolution]:
        """The ends of alerts."""
        return [one for one in self.found if isinstance(one, Resolution)]

    def _learn(self, record: Record, log: WhichLog) -> list[Finding]:
        seen = Seen(record, log, self._next[log])
        self._next[log] += 1
        return self._keep(self.detector.learn(seen)) if record.event in self.detector.events else []

    def _keep(self, findings: Iterable[Finding]) -> list[Finding]:
        kept = list(findings)
        self.found.extend(kept)
        return kept


def called(*calls: Call, policy: PolicyRef = DEBUG) -> list[Record]:
    """Return the records of calls that alice makes under her grant of a policy, as the monitor writes them."""
    monitor = AMonitor([announced(policy=policy), ended()])
    monitor.arrives(*calls)
    return list(monitor.log.values())


def with_detail(record: Record, **changes: Any) -> Record:
    """Return a record with other values in its detail."""
    block = {**record.block, "detail": {**record.block.get("detail", {}), **changes}}
    return replace(record, body={**record.body, "unmapped": {"curfew": block}})
