"""What people answer to alerts by objects in the cluster, and the records that follow from it: each once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from curfew.api.alert_response import AlertResponse, ResponseAction
from curfew.audit.record import Record
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.records import RESOLVED, SILENCED
from curfew.core.detectors.silences import (
    LONGEST_SILENCE,
    AlertSilence,
    is_about,
    silence_ended,
    silence_of,
    silenced,
)
from curfew.core.remembered import Remembered

_MOST_KNOWN: Final = 100_000
_MOST_ENDED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What a look at the answers led to."""

    records: tuple[Record, ...] = ()  # to append
    refused: tuple[str, ...] = ()  # sentences about answers that have no effect, each once


class Answers:
    """The answers that the log of activity holds, and those in the cluster. What it remembers has a bound."""

    def __init__(self, engine: Engine, log: str) -> None:
        """Know nothing yet. `log` is the id of the log of activity."""
        self._engine = engine
        self._log = log
        self._silenced: Remembered[str, None] = Remembered(_MOST_KNOWN)  # UIDs of silences that the log holds
        self._resolved: Remembered[str, None] = Remembered(_MOST_KNOWN)  # ids of alerts that the log says are over
        self._done: Remembered[str, None] = Remembered(_MOST_KNOWN)  # UIDs of answers that need no second look

    def learn(self, record: Record) -> None:
        """Learn a record of the log of activity."""
        if record.event == SILENCED and (silence := silence_of(record)) is not None:
            self._silenced[silence.uid] = None
        elif record.event == RESOLVED and isinstance(detail := record.block.get("detail"), Mapping):
            self._resolved[str(detail.get("alert"))] = None

    def look(self, manifests: Iterable[Mapping[str, Any]], now: datetime) -> Answered:
        """Compare the objects in the cluster, all of them, with what the log holds."""
        records: list[Record] = []
        refused: list[str] = []
        there = set()
        for manifest in manifests:
            uid = str((manifest.get("metadata") or {}).get("uid"))
            there.add(uid)
            if uid in self._done:
                continue
            try:
                answer = AlertResponse.model_validate(manifest)
            except ValidationError as error:
                why = f"AlertResponse {uid} cannot be read, and has no effect: {error.errors()[0]['msg']}"
            else:
                why = self._take(answer, now, records)
            self._done[uid] = None
            if why:
                refused.append(why)
        records += (self._ended(silence, now) for silence in self._over(there, now))
        return Answered(tuple(records), tuple(refused))

    def _take(self, answer: AlertResponse, now: datetime, records: list[Record]) -> str:
        """Take an answer that is new. Return why it has no effect, or an empty text."""
        spec, meta = answer.spec, answer.metadata
        if spec.action is ResponseAction.RESOLVE:
            return self._resolve(spec.alert or "", spec.submitted_by, spec.reason, meta.name, now)
        if meta.uid in self._silenced or spec.ends_at is None or spec.ends_at <= now:
            return ""
        if not any((spec.detector, spec.person, spec.namespace)):
            return f"AlertResponse {meta.name} names nothing that it silences, and has no effect"
        if spec.person is not None and is_about((spec.person,), spec.submitted_by):
            return f"AlertResponse {meta.name} has no effect: nobody can silence alerts about themselves"
        if spec.ends_at > (meta.creation_timestamp or now) + LONGEST_SILENCE:
            return (
                f"AlertResponse {meta.name} would silence for more than {LONGEST_SILENCE.days} days, and has no effect"
            )
        silence = AlertSilence(
            uid=meta.uid,
            name=meta.name,
            ends_at=spec.ends_at,
            reason=spec.reason,
            by=spec.submitted_by,
            detector=spec.detector or "",
            person=spec.person or "",
            namespace=spec.namespace or "",
            policy=spec.policy or "",
        )
        self._silenced[silence.uid] = None
        records.append(silenced(silence, self._log, at=now))
        return ""

    def _resolve(self, alert: str, by: str, reason: str, name: str, now: datetime) -> str:
        if alert in self._resolved:
            return ""  # most likely by this very answer, before a restart
        found = self._engine.open_by_id(alert)
        if found is None:
            return f"AlertResponse {name} has no effect: alert {alert} is not open"
        if is_about(found.people, by):
            return f"AlertResponse {name} has no effect: {by} cannot resolve an alert about themselves"
        self._engine.resolve(alert, by=by, reason=reason, at=now)
        return ""

    def _over(self, there: set[str], now: datetime) -> Iterable[AlertSilence]:
        over = (one for one in self._engine.silences.all() if one.ends_at <= now or one.uid not in there)
        return tuple(over)[:_MOST_ENDED]

    def _ended(self, silence: AlertSilence, now: datetime) -> Record:
        why = "its time has come" if silence.ends_at <= now else f"AlertResponse {silence.name} was deleted"
        return silence_ended(silence, self._log, at=now, why=why)
