"""Which requests were refused, or withdrawn before anything was granted, in this hour and the hour before."""

from collections.abc import Mapping
from datetime import datetime

from curfew.api.characters import person
from curfew.audit.record import Record
from curfew.core.counting import HOUR, OWN_RECORDS, TallyKey, hour_of, others
from curfew.core.reasons import Reason

WITHDRAWALS = 20
"""How many requests a person may withdraw in one namespace and hour before the next one is refused."""

MOST_KEYS = 4_000
"""How many keys (person, namespace, hour) have an entry of their own; the rest share one. At most 20 UIDs each: 16 MiB."""


class RefusedOrWithdrawn:
    """UIDs by person, namespace and hour, learnt from records. Each set stops growing when it has reached the limit."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        """Start empty. `most` is how many keys (person, namespace, hour) have an entry of their own."""
        self._refused = _Uids(most, OWN_RECORDS)
        self._withdrawn = _Uids(most, WITHDRAWALS)

    def learn(self, record: Record) -> None:
        """Note a record if it is about a refusal or a withdrawal."""
        if record.event not in ("request.rejected", "request.cancelled", "request.deleted"):
            return
        story, detail = record.block.get("story"), record.block.get("detail")
        if not isinstance(story, Mapping) or "granted_at" in story or "binding" in story:
            return
        if isinstance(detail, Mapping) and detail.get("end_reason") == Reason.SELF_TEST:
            return
        namespace, who = str(story.get("namespace", "")), story.get("requester")
        if record.event == "request.rejected":
            by = str(story.get("submitted_by") or who)
            self._refused.note(TallyKey(by, namespace, hour_of(record.at)), record.subject)
        elif isinstance(who, str):
            self._withdrawn.note(TallyKey(person(who), namespace, hour_of(record.at)), record.subject)

    def slot(self, key: TallyKey) -> TallyKey:
        """Return the key itself, or the key of all others if there is no room for it."""
        return self._refused.slot(key)

    def refused(self, key: TallyKey) -> frozenset[str]:
        """Return the UIDs of refused requests that have records of their own."""
        return self._refused.get(key)

    def withdrawn(self, requester: str, namespace: str, now: datetime) -> frozenset[str]:
        """Return the UIDs of a person's requests that were withdrawn in this hour."""
        return self._withdrawn.get(TallyKey(person(requester), namespace, hour_of(now)))


class _Uids:
    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._known: dict[TallyKey, set[str]] = {}
        self._newest: datetime | None = None

    def note(self, key: TallyKey, uid: str) -> None:
        if self._newest is None or key.hour > self._newest:
            self._newest = key.hour
            self._known = {old: uids for old, uids in self._known.items() if old.hour >= key.hour - HOUR}
        if key.hour < self._newest - HOUR:
            return
        uids = self._known.setdefault(self.slot(key), set())
        if len(uids) < self._each:
            uids.add(uid)

    def slot(self, key: TallyKey) -> TallyKey:
        return key if key in self._known or len(self._known) < self._most else others(key.hour)

    def get(self, key: TallyKey) -> frozenset[str]:
        return frozenset(self._known.get(self.slot(key), ()))
