"""How long each binding of a request was there, as far as the calls and the watch show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from curfew.evidence.history.trace import Trace


@dataclass(frozen=True, slots=True)
class BindingLife:
    """One binding: when it was there for the first time, when it was gone (None: nobody saw that), and who made it."""

    since: datetime
    until: datetime | None
    expires_at: datetime | None
    by: str


def lives(trace: Trace) -> Iterator[BindingLife]:
    """Yield the bindings of a request, in the order of time. What the calls missed, the watch may have seen."""
    if not trace.made:
        for watched in trace.watched.values():
            expires_at = _earliest(watched.expires_at, trace.expires_at)
            until = _gone(trace, watched.since, watched.gone_at)
            yield BindingLife(watched.since, until, expires_at, "somebody")
        return
    for made in sorted(trace.made, key=lambda one: one.at):
        # A watch may show a binding before the call that made it is answered.
        seen = [one for one in trace.watched.values() if one.gone_at is None or one.gone_at >= made.received_at]
        own = min(seen, key=lambda one: one.since, default=None)
        yield BindingLife(
            made.at,
            _gone(trace, made.at, own.gone_at if own is not None else None),
            _earliest(own.expires_at if own is not None else None, trace.expires_at),
            made.by,
        )


def _gone(trace: Trace, since: datetime, watched: datetime | None) -> datetime | None:
    """Return when a binding that was there at a time was gone at the latest."""
    ends = [one.at for one in trace.gone if one.at >= since and (one.was_deleted or one.received_at >= since)]
    return min([*ends, *([watched] if watched is not None else [])], default=None)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
