"""Where a log is written, or for how long it stays there, is not as it was, or a stored part does not read back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity, WhichLog
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.reading import detail, number, text
from curfew.core.detectors.tuning import DetectorSettings

NAME: Final = "SinkChanged"

_DAY: Final = 86_400


class SinkChangedSettings(DetectorSettings):
    """Nothing but whether it is on, and for how long the same is not reported again."""


class SinkChanged:
    """Remembers of each log its store, whether that was proved to be write-once, and for how long it keeps records."""

    name = NAME
    events = frozenset({"audit.attested", "audit.begins_at", "audit.verification_failed", "audit.key_rotated"})

    def __init__(self, tuned: Tuned[SinkChangedSettings]) -> None:
        """Know no log."""
        self._settings = tuned.usual
        self._store: dict[WhichLog, str] = {}
        self._was_proved: set[WhichLog] = set()
        self._keep_for: dict[WhichLog, int] = {}  # in seconds

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn what a log tells of itself."""
        match seen.record.event:
            case "audit.attested":
                yield from self._attested(seen)
            case "audit.begins_at":
                yield from self._begins(seen)
            case "audit.verification_failed":
                yield self._alert(seen, f"verification/{text(detail(seen.record), 'segment')}", Severity.CRITICAL)
            case _:
                yield self._alert(seen, "key", Severity.MEDIUM)

    def _attested(self, seen: Seen) -> Iterable[Finding]:
        told = detail(seen.record)
        store, before = text(told, "store"), self._store.get(seen.log)
        if store:
            self._store[seen.log] = store
        if before is not None and store and store != before:
            yield self._alert(
                seen,
                "store",
                Severity.HIGH,
                f"the {_name(seen.log)} is written to {store} now, and no longer to {before}",
            )
        if told.get("sufficient") is True:
            self._was_proved.add(seen.log)
            yield Resolution(NAME, f"{seen.log}/write-once", seen.at, "the store is proved to be write-once", seen)
        elif told.get("sufficient") is False:
            severity = Severity.HIGH if seen.log in self._was_proved else Severity.LOW
            # The next test that succeeds ends it, so it is not reported again before.
            yield replace(self._alert(seen, "write-once", severity), quiet=None)

    def _begins(self, seen: Seen) -> Iterable[Finding]:
        keep_for, before = number(detail(seen.record), "keep_for"), self._keep_for.get(seen.log)
        self._keep_for[seen.log] = keep_for
        if before is not None and keep_for < before:
            yield self._alert(
                seen,
                "retention",
                Severity.HIGH,
                f"the {_name(seen.log)} keeps its records for {keep_for // _DAY} days now, and kept them for "
                f"{before // _DAY} days before",
            )

    def _alert(self, seen: Seen, what: str, severity: Severity, message: str = "") -> Alert:
        return Alert(
            detector=NAME,
            key=f"{seen.log}/{what}",
            at=seen.at,
            severity=severity,
            title="The store of a log was changed",
            message=message or seen.record.message,
            trigger=seen,
            evidence=(Evidence.of(seen),),
            values={"log": str(seen.log)},
            quiet=self._settings.quiet,
        )


def _name(log: WhichLog) -> str:
    return "trail" if log is WhichLog.TRAIL else "log of activity"
