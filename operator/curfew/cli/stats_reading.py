"""Reads what `curfew stats` needs: the requests in the trail, then what was done with the access, in the log of activity."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from curfew.audit.canonical import canonical
from curfew.audit.findings import Finding, Kind
from curfew.audit.query import Query
from curfew.audit.record import Record
from curfew.audit.timespan import Span
from curfew.cli.audit.console import progress
from curfew.cli.audit.finding import SearchedLog, find
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.usage import Usage, has_names
from curfew.core.advice import enough_for
from curfew.evidence.stats.book import ACTIVITY_EVENTS, TRAIL_EVENTS, StatsBook
from curfew.evidence.stats.figures import RequestStats
from curfew.evidence.stats.using import UsedRules
from curfew.reader.anchors import Kept
from curfew.reader.errors import NotVerified
from curfew.reader.stream import known_key, verified_segments


async def read_stats(trail: SearchedLog, activity: SearchedLog | None, span: Span, zone: tzinfo) -> RequestStats:
    """Return the statistics of a period, from verified records. Raise as `find` does."""
    reading = StatsReading(span)
    async with aclosing(find(trail, Query({"event": TRAIL_EVENTS}))) as records:
        async for one in records:
            reading.take_trail(one.record)
    if activity is None:
        return reading.stats(zone)
    async with aclosing(find(activity, Query({"event": ACTIVITY_EVENTS}))) as records:
        async for one in records:
            reading.take_activity(one.record)
    return reading.stats(zone)


async def check_anchors(trail: SearchedLog, anchors: Sequence[Kept]) -> None:
    """Verify the whole trail with anchors that were kept elsewhere, as `curfew audit verify` does.

    Raise as `verified_segments` does, or `NotVerified` if the log's keys did not sign an anchor.
    """
    verifier = await known_key(trail.store, trail.log, trail.given)
    keys = [verifier]
    segments = verified_segments(trail.store, trail.log, verifier, [one.anchor for one in anchors], progress=progress)
    async with aclosing(segments) as links:
        async for link in links:
            keys = [verifier, *(tenure.verifier for tenure in link.verified.keys)]
    for forgery in filter(None, (one.forgery(keys) for one in anchors)):
        raise NotVerified(Finding(Kind.REWRITTEN, f"log {trail.log}", forgery))


class StatsReading:
    """The statistics of a period, and what its grants used. The trail comes first, then the log of activity."""

    def __init__(self, span: Span) -> None:
        """Know no request."""
        self.book = StatsBook(span)
        self._sessions = Sessions()
        self._used: dict[str, Usage] | None = None
        self._rules: dict[bytes, Any] = {}

    def take_trail(self, record: Record) -> None:
        """Take the next record of the trail."""
        self.book.take(record)
        if self.book.knows(record.subject):
            self._sessions.learn(self._with_shared_rules(record))

    def take_activity(self, record: Record) -> None:
        """Take the next record of the log of activity."""
        if self._used is None:
            self._used = self._usages()
        self.book.take_activity(record)
        session = self._sessions.get(record.subject)
        if session is not None and session.granted_at is not None:
            self._used[_policy(session)].take(session, record)

    def stats(self, zone: tzinfo) -> RequestStats:
        """Return the statistics; without a record of activity, nothing is said of what was used."""
        return self.book.stats(zone, self._shares() if self._used is not None else None)

    def _with_shared_rules(self, record: Record) -> Record:
        """Return a record whose rules are the same objects as those of earlier grants: a role has thousands of grants."""
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping) or not isinstance(rules := detail.get("rules"), list):
            return record
        shared = [self._rules.setdefault(canonical(rule), rule) for rule in rules]
        block = {**record.block, "detail": {**detail, "rules": shared}}
        return replace(record, body={**record.body, "unmapped": {"curfew": block}})

    def _usages(self) -> dict[str, Usage]:
        return {
            policy: Usage(has_names=any(map(has_names, sessions))) for policy, sessions in self._by_policy().items()
        }

    def _shares(self) -> Iterator[UsedRules]:
        assert self._used is not None  # noqa: S101  the caller has looked
        for policy, sessions in self._by_policy().items():
            rules = _different(sessions)
            if rules:
                advice = enough_for(rules, self._used[policy].used)
                yield UsedRules(policy, len(sessions), advice.granted, advice.used)

    def _by_policy(self) -> Mapping[str, Sequence[Session]]:
        groups: dict[str, list[Session]] = {}
        for session in self._sessions.all():
            if session.granted_at is not None:
                groups.setdefault(_policy(session), []).append(session)
        return groups


def _different(sessions: Sequence[Session]) -> list[Mapping[str, Any]]:
    """Return the rules of all versions of the role, each once."""
    return list({str(rule): rule for one in sessions for rule in one.rules}.values())


def _policy(session: Session) -> str:
    return f"{session.namespace}/{session.policy.name}" if session.policy is not None else ""
