"""Incidents in what is done with access, and in how it ends."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from curfew.core.activity.call import Call, Caller
from curfew.core.activity.effect import How
from curfew.core.activity.session import Session
from tests.corpus.calls import Did, Place, at_place
from tests.corpus.staging import Stage
from tests.support.watching import refused

SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)
FOREIGN: Final = "45.83.64.9"


def glass_broken(stage: Stage) -> None:
    """The glass is broken, and reviewed within the day."""
    told = stage.asks("emergency", stage.at(15), duration=3600)
    told.grant()
    assert told.story.expires_at is not None
    told.end(told.story.expires_at + SECOND / 20)
    told.decide(stage.at(17.5), stage.lead.name, "Review", "TookEffect", reason="all of it was needed")
    told.close("Expired")
    stage.life.use(told, stage.person)
    stage.label("BreakGlassUsed", "the glass is broken", stage.person, also="FirstPrivilegedRole")


def not_reviewed(stage: Stage) -> None:
    """The glass is broken, and nobody reviews it."""
    told = stage.asks("emergency", stage.at(10), duration=3600)
    told.grant()
    granted = told.at
    assert told.story.expires_at is not None
    told.end(told.story.expires_at + SECOND / 20)
    told.at = granted + 24 * HOUR
    review_by = told.at.isoformat(timespec="seconds").replace("+00:00", "Z")
    told.tell("review.overdue", success=False, review_by=review_by)
    stage.life.use(told, stage.person)
    stage.label(
        "BreakGlassNotReviewed",
        "a broken glass is not reviewed",
        stage.person,
        until=stage.at(60),
        also="BreakGlassUsed FirstPrivilegedRole",
    )
    stage.label("BreakGlassUsed", "the glass is broken", stage.person, also="FirstPrivilegedRole")


def removed_late(stage: Stage) -> None:
    """A grant ends twelve minutes late."""
    told = stage.asks("debug", stage.at(10), duration=1800)
    told.decide(stage.at(10.1), stage.lead.name)
    told.grant()
    assert told.story.expires_at is not None
    told.end(told.story.expires_at + 720 * SECOND)
    stage.life.use(told, stage.person)
    stage.label("LateRemoval", "a grant ends 12 min late", stage.person)


def not_removed(stage: Stage) -> None:
    """A binding cannot be removed for two hours."""
    told = stage.asks("debug", stage.at(10), duration=1800)
    told.decide(stage.at(10.1), stage.lead.name)
    told.grant()
    until = told.story.expires_at
    assert until is not None
    told.at = until + 10 * SECOND
    told.tell(
        "grant.removal_failed",
        success=False,
        end_reason="DurationElapsed",
        since=until.isoformat().replace("+00:00", "Z"),
        seconds=10,
        problem="the API server answers 503",
    )
    told.end(until + 2 * HOUR)
    stage.life.use(told, stage.person)
    stage.label("LateRemoval", "a binding cannot be removed", stage.person)


def tampered(stage: Stage) -> None:
    """Somebody edits the binding of a grant."""
    told = stage.asks("debug", stage.at(10), duration=3600)
    told.decide(stage.at(10.1), stage.lead.name)
    told.grant()
    told.at = stage.at(10.4)
    told.story = replace(told.story, ended_at=told.at, end_reason="BindingTampered")
    told.tell("grant.drifted", success=False, end_reason="BindingTampered")
    told.end(told.at, "BindingTampered")
    stage.life.use(told, stage.person)
    stage.label("GrantChanged", "a binding is edited", stage.person)


def unused(stage: Stage) -> None:
    """A privileged grant is not used at all."""
    stage.granted("admin", stage.at(10), doing=lambda session, place: ())
    stage.label("UnusedGrant", "a grant is not used", stage.person, also="FirstPrivilegedRole")


def two_credentials(stage: Stage) -> None:
    """Two credentials from two places use one grant by turns."""
    stage.granted("debug", stage.at(10), doing=_from_two_places, duration=3600)
    stage.label("TwoCredentials", "two credentials at once", stage.person, also="UnfamiliarPlace")


def a_robot(stage: Stage) -> None:
    """A token of a service account, minted with a grant, is used."""
    stage.granted("admin", stage.at(10), doing=_as_service_account, how=How.TOKEN, duration=3600)
    stage.label(
        "ServiceAccountToken", "a service account's token under a grant", stage.person, also="FirstPrivilegedRole"
    )


def left_behind(stage: Stage) -> None:
    """Something is made with a grant, and left behind."""
    stage.granted("admin", stage.at(10), doing=_makes_a_binding, duration=1800)
    stage.label("LeftBehind", "something is left behind", stage.person, also="FirstPrivilegedRole")


def reads_secrets(stage: Stage) -> None:
    """Thirty secrets in six minutes."""
    stage.granted("secrets", stage.at(10), doing=_burst("get", "secrets", 30), duration=1800)
    stage.label("MassSecretReads", "30 secrets in 6 min", stage.person)


def deletes(stage: Stage) -> None:
    """Thirty things are deleted in six minutes."""
    stage.granted("jobs", stage.at(10), doing=_burst("delete", "jobs.batch", 30), duration=1800)
    stage.label("MassDeletion", "30 deletes in 6 min", stage.person)


def probes(stage: Stage) -> None:
    """Fifteen calls are refused in three minutes."""
    stage.granted("logs", stage.at(10), doing=_probing, duration=1800)
    stage.label("Probing", "15 refusals in 3 min", stage.person)


def unfamiliar(stage: Stage) -> None:
    """An approver comes from another country, with a credential that nobody has seen."""
    place = Place(FOREIGN, "JTI=stolen", "curl/8.9.1")
    person = stage.lead
    told = stage.asks("debug", stage.at(10), person=person, place=place)
    told.decide(stage.at(10.1), stage.other.name)
    told.grant()
    assert told.story.expires_at is not None
    told.end(told.story.expires_at + SECOND / 20)
    stage.life.use(told, person, place=place)
    stage.label("UnfamiliarPlace", "an unfamiliar network and credential", person)


def _from_two_places(session: Session, place: Place) -> Sequence[Call]:
    begin, other = session.announced_at, Place(FOREIGN, "JTI=stolen-2", "curl/8.9.1")
    did: Did = ("get", "pods/log", "web-1")
    return [
        at_place(session, did, begin + (200 + 40 * number) * SECOND, (place, other)[number % 2]) for number in range(12)
    ]


def _as_service_account(session: Session, place: Place) -> Sequence[Call]:
    name = f"system:serviceaccount:{session.namespace}:default"
    caller = Caller(name, ("system:serviceaccounts",), "JTI=minted")
    return [
        replace(
            at_place(session, ("list", "secrets", ""), session.announced_at + 300 * number * SECOND, place),
            caller=caller,
        )
        for number in range(1, 5)
    ]


def _makes_a_binding(session: Session, place: Place) -> Sequence[Call]:
    did: Did = ("create", "rolebindings.rbac.authorization.k8s.io", "backdoor")
    return [at_place(session, did, session.announced_at + 400 * SECOND, place)]


def _burst(verb: str, resource: str, number: int) -> Callable[[Session, Place], Sequence[Call]]:
    def calls(session: Session, place: Place) -> Sequence[Call]:
        begin = session.announced_at + 120 * SECOND
        return [
            at_place(session, (verb, resource, f"one-{each}"), begin + 12 * each * SECOND, place)
            for each in range(number)
        ]

    return calls


def _probing(session: Session, place: Place) -> Sequence[Call]:
    begin = session.announced_at + 60 * SECOND
    return [
        refused(at_place(session, ("get", "secrets", f"s-{each}"), begin + 12 * each * SECOND, place))
        for each in range(15)
    ]
