"""ServiceAccountToken: calls under a person's grant were made as a service account, not as the person."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from curfew.core.activity.effect import OWN, Effect, How, Sensitive
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.grant_calls import HAPPENED, GrantCall, grant_call
from curfew.core.detectors.reading import actor, detail, text
from curfew.core.detectors.tuning import DetectorSettings, Tuned

NAME: Final = "ServiceAccountToken"
_MINTED: Final = "Minted"
_SEVERITY: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        How.TOKEN: Severity.HIGH,
        How.IMPERSONATION: Severity.MEDIUM,
        _MINTED: Severity.MEDIUM,
        How.POD: Severity.LOW,
    }
)


class ServiceAccountTokenSettings(DetectorSettings):
    """Which of the ways to act as a service account are told."""

    tokens: bool = True
    """Whether tokens are told that were minted under a grant, and their use."""
    impersonation: bool = True
    """Whether calls are told that were made by impersonating a service account."""
    pods: bool = True
    """Whether calls are told that pods make which were made under a grant."""


class ServiceAccountToken:
    """One alert for each grant, service account and way. It keeps no state of its own."""

    name = NAME
    events = HAPPENED | {"call.refused", "stream.opened"}

    def __init__(self, tuned: Tuned[ServiceAccountTokenSettings]) -> None:
        """Know the settings."""
        self._tuned = tuned

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Return the alert about a call as a service account."""
        told = detail(seen.record)
        is_other = text(told, "how") in (How.TOKEN, How.POD, How.IMPERSONATION)
        if not is_other and text(told, "sensitive") != Sensitive.TOKEN_REQUEST:
            return
        known = grant_call(seen)
        way = _way(known) if known is not None else None
        if known is None or way is None:
            return
        settings = self._tuned.of(known.namespace, known.policy)
        wanted = {How.POD: settings.pods, How.IMPERSONATION: settings.impersonation}.get(way, settings.tokens)  # type: ignore[call-overload]
        if not wanted:
            return
        account = _account(known, way)
        yield Alert(
            detector=NAME,
            key=f"{seen.record.subject}/{way}/{account}",
            at=seen.at,
            severity=_SEVERITY[way],
            title="A service account was used under a person's grant",
            message=f"{_sentence(way, known, account)}, under request {known.story.request} of {known.person}",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            people=(known.person,),
            namespace=known.namespace,
            policy=known.policy,
            story=known.story,
            values={"account": account, "way": str(way)},
            quiet=settings.quiet,
        )


def _way(known: GrantCall) -> str | None:
    """Return how somebody acts as a service account; None if nobody does."""
    if known.call.how in (How.TOKEN, How.POD, How.IMPERSONATION):
        return known.call.how
    is_minted = known.call.sensitive is Sensitive.TOKEN_REQUEST and known.call.effect in (Effect.CHANGED, Effect.UNSURE)
    return _MINTED if is_minted and known.call.how in (*OWN, How.UNEXPLAINED) else None


def _account(known: GrantCall, way: str) -> str:
    """Return the service account as its user name."""
    if way == _MINTED:
        return f"system:serviceaccount:{known.call.namespace}:{known.call.name}"
    user = text(detail(known.seen.record), "user")
    return user or actor(known.seen.record)


def _sentence(way: str, known: GrantCall, account: str) -> str:
    pod = known.call.pod[0] if known.call.pod is not None else "a pod"
    refused = " and was refused" if known.call.effect is Effect.DENIED else ""
    match way:
        case How.TOKEN:
            return f"a call was made as {account}, with a token that was minted{refused}"
        case How.POD:
            return f"{pod}, which was made with the access, made a call as {account}{refused}"
        case How.IMPERSONATION:
            return f"a call was made by impersonating {account}{refused}"
        case _:
            return f"a token of {account} was minted, which may be used by anybody who has it"
