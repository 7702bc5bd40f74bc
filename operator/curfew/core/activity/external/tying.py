"""Finds the sessions that an event of another system belongs to, and how strongly it is tied to each.

| strength | the line has |
| Attributed | the grant's own id, and nobody else's name |
| Correlated | the grant's id under another name; the ticket or the correlation id of the request, while the grant was open |
| Claimed | the person's name, while the grant was open |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from curfew.core.activity.external.event import ExternalEvent
from curfew.core.activity.session import Session

MOST_TIES: Final = 8
"""Most sessions that one event is tied to."""

SKEW: Final = timedelta(seconds=5)
"""How much the clock of another system may differ without an event falling out of a session."""


class Strength(StrEnum):
    """How strongly an event is tied to a session, the strongest first."""

    ATTRIBUTED = "Attributed"
    CORRELATED = "Correlated"
    CLAIMED = "Claimed"


class TiedBy(StrEnum):
    """What ties an event to a session."""

    GRANT = "Grant"
    TICKET = "Ticket"
    CORRELATION = "Correlation"
    PERSON = "Person"


@dataclass(frozen=True, slots=True)
class Tie:
    """An event's tie to a session."""

    session: Session
    strength: Strength
    by: TiedBy
    is_after_end: bool = False  # only for ties by the grant's id: all others need a grant that is open


class KnownSessions:
    """An index of sessions by all that lines may have of them."""

    def __init__(self, sessions: Iterable[Session]) -> None:
        self._by_grant: dict[str, Session] = {}
        self._others: dict[tuple[TiedBy, str], list[Session]] = {}
        for session in sorted(sessions, key=lambda session: session.announced_at, reverse=True):
            self._by_grant |= {session.uid: session, session.binding: session}
            correlations = {session.uid, f"{session.namespace}/{session.request}", session.ticket}
            for by, names in (
                (TiedBy.TICKET, {session.ticket}),
                (TiedBy.CORRELATION, correlations),
                (TiedBy.PERSON, {session.requester}),
            ):
                for name in names - {None}:
                    self._others.setdefault((by, str(name)), []).append(session)

    def ties(self, event: ExternalEvent) -> tuple[Tie, ...]:
        """Return the ties of an event, the strongest first, of the same strength the newest session first.

        A grant's own id leaves no doubt, so then there is one tie. Otherwise there may be more than `MOST_TIES`.
        """
        found: dict[str, Tie] = {}
        session = self._by_grant.get(event.grant) if event.grant is not None else None
        if session is not None and session.announced_at - SKEW <= event.at:
            strength = Strength.ATTRIBUTED if _is_theirs(event, session) else Strength.CORRELATED
            tie = Tie(session, strength, TiedBy.GRANT, event.at > session.until + SKEW)
            if strength is Strength.ATTRIBUTED:
                return (tie,)
            found[session.uid] = tie
        for by, name, strength in (
            (TiedBy.TICKET, event.ticket, Strength.CORRELATED),
            (TiedBy.CORRELATION, event.correlation, Strength.CORRELATED),
            (TiedBy.PERSON, event.user, Strength.CLAIMED),
        ):
            for session in self._others.get((by, name), ()) if name is not None else ():
                if _was_open(session, event.at):
                    found.setdefault(session.uid, Tie(session, strength, by))
        return tuple(found.values())


def _is_theirs(event: ExternalEvent, session: Session) -> bool:
    """Whether the event's person is the grant's, nobody, or an account that was made for the grant."""
    return event.user in (None, session.requester) or session.uid in (event.person or "")


def _was_open(session: Session, at: datetime) -> bool:
    return session.announced_at - SKEW <= at <= session.until + SKEW
