"""TwoCredentials: two credentials of one person were used in turns under one grant: A, then B, then A again.

A token that is renewed is innocent: the old one is not used any more soon after the new one begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from curfew.audit.wording import duration
from curfew.core.activity.effect import How
from curfew.core.activity.noticing.places import network
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.grant_calls import HAPPENED, GrantCall, grant_call
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned
from curfew.core.remembered import Remembered

NAME: Final = "TwoCredentials"
_MOST_GRANTS: Final = 20_000
MOST_CREDENTIALS: Final = 32
"""How many credentials of one grant are remembered."""


class TwoCredentialsSettings(DetectorSettings):
    """What still counts as a renewal."""

    renewal: Span = timedelta(minutes=1)
    """How long the older credential may be used after the first use of the newer one."""


@dataclass(frozen=True, slots=True)
class UsedCredential:
    """A credential, and its first and its last use under a grant."""

    id: str
    first: GrantCall
    last: GrantCall


class TwoCredentials:
    """Remembers the credentials of each grant. The order in which calls arrive makes no difference."""

    name = NAME
    events = HAPPENED | {"call.refused", "call.failed", "call.simulated", "stream.opened"}

    def __init__(self, tuned: Tuned[TwoCredentialsSettings]) -> None:
        """Know the settings, and no credential yet."""
        self._tuned = tuned
        self._used: Remembered[str, dict[str, UsedCredential]] = Remembered(_MOST_GRANTS)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a call, and return the alert if two credentials are used in turns."""
        known = grant_call(seen)
        if known is None or not known.call.credential or known.call.how not in (How.BINDING, How.IMPERSONATION):
            return
        settings = self._tuned.of(known.namespace, known.policy)
        uid, id_ = seen.record.subject, known.call.credential
        used = self._used[uid] = self._used.get(uid) or {}
        if id_ not in used and len(used) >= MOST_CREDENTIALS:
            return
        before = used.get(id_)
        one = used[id_] = _with(before, known) if before is not None else UsedCredential(id_, known, known)
        for other in used.values():
            older, newer = sorted((one, other), key=lambda each: each.first.at)
            after = older.last.at - newer.first.at
            if older is not newer and after > settings.renewal:
                yield replace(_alert(known, older, newer, after, seen), quiet=settings.quiet)
                return


def _with(used: UsedCredential, known: GrantCall) -> UsedCredential:
    first = known if known.at < used.first.at else used.first
    last = known if known.at > used.last.at else used.last
    return UsedCredential(used.id, first, last)


def _alert(known: GrantCall, older: UsedCredential, newer: UsedCredential, after: timedelta, seen: Seen) -> Alert:
    places = [network(one.first.call.addresses[-1]) if one.first.call.addresses else "" for one in (older, newer)]
    is_elsewhere = places[0] != places[1] and all(places)
    where = f", from {places[0]} and from {places[1]}" if is_elsewhere else ""
    steps = sorted((older.first, newer.first, older.last), key=lambda each: each.at)
    return Alert(
        detector=NAME,
        key=seen.record.subject,
        at=max(older.last.at, newer.last.at, seen.at),
        severity=Severity.HIGH if is_elsewhere else Severity.MEDIUM,
        title="Two credentials of one person were used at once",
        message=f"{known.person} used two credentials in turns under request {known.story.request}: the older one "
        f"{duration(timedelta(seconds=after // timedelta(seconds=1)))} after the newer one began{where}",
        trigger=seen,
        evidence=tuple(dict.fromkeys(Evidence.of(one.seen) for one in steps)),
        people=(known.person,),
        namespace=known.namespace,
        policy=known.policy,
        story=known.story,
        values={"credentials": 2, "older": older.id[:100], "newer": newer.id[:100]},
    )
