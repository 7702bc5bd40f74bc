"""How long each binding of a request was there, as far as the calls and the watch show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from curfew.evidence.history.facts import BindingGone, BindingMade
from curfew.evidence.history.trace import ACTIVATED, Trace


@dataclass(frozen=True, slots=True)
class BindingLife:
    """One binding: when it was there for the first time, when it was gone (None: nobody saw that), and who made it."""

    since: datetime
    until: datetime | None
    expires_at: datetime | None
    by: str
    asked_at: datetime  # when the API server got the call that made it; if no call is known, `since`


def lives(trace: Trace) -> Iterator[BindingLife]:
    """Yield the bindings of a request, in the order of time. What the calls missed, the watch may have seen."""
    makings = list(_makings(trace))
    if not makings:
        for watched in trace.watched.values():
            expires_at = _earliest(watched.expires_at, trace.expires_at)
            until = _gone(trace, watched.since, watched.gone_at)
            yield BindingLife(watched.since, until, expires_at, "somebody", watched.since)
        return
    for made in makings:
        since = _since(made)
        # A watch may show a binding before the call that made it is answered.
        seen = [one for one in trace.watched.values() if one.gone_at is None or one.gone_at >= made.received_at]
        own = min(seen, key=lambda one: one.since, default=None)
        yield BindingLife(
            since,
            _gone(trace, since, own.gone_at if own is not None else None),
            _earliest(own.expires_at if own is not None else None, trace.expires_at),
            made.by,
            made.received_at,
        )


def _makings(trace: Trace) -> Iterator[BindingMade]:
    """Yield the calls that made a binding, in the order of time.

    A call that is not certain counts if the binding was there afterwards and no other call can have made it.
    """
    facts: set[BindingMade | BindingGone] = {*trace.made, *(one for one in trace.gone if one.was_deleted)}
    is_there, uncertain, count = False, None, 0
    for fact in sorted(facts, key=_since):
        match fact:
            case BindingMade(is_certain=True):
                is_there, uncertain, count = True, None, count + 1
                yield fact
            case BindingMade():
                uncertain = uncertain or fact
            case BindingGone():
                if uncertain is not None and not is_there:
                    count += 1
                    yield uncertain
                    uncertain = None
                is_there = False
    if uncertain is not None and count == 0 and _was_there(trace, uncertain):
        yield uncertain


def _since(fact: BindingMade | BindingGone) -> datetime:
    """Return when a fact had come about at the latest. What is not certain may be stored long before its answer."""
    return fact.received_at if isinstance(fact, BindingMade) and not fact.is_certain else fact.at


def _was_there(trace: Trace, made: BindingMade) -> bool:
    """Whether anything but the end of a binding shows that a call which is not certain made it."""
    was_seen = trace.seen_at is not None and trace.seen_at >= made.received_at
    return was_seen or bool(trace.watched) or trace.first(ACTIVATED) is not None


def _gone(trace: Trace, since: datetime, watched: datetime | None) -> datetime | None:
    """Return when a binding that was there at a time was gone at the latest."""
    ends = [one.at for one in trace.gone if one.at >= since and (one.was_deleted or one.received_at >= since)]
    return min([*ends, *([watched] if watched is not None else [])], default=None)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
