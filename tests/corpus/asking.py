"""Incidents in how people ask for access, and in how others decide."""

from datetime import timedelta
from typing import Final

from tests.corpus.roles import Offer
from tests.corpus.staging import Stage

MINUTE: Final = timedelta(minutes=1)


def many_requests(stage: Stage) -> None:
    """Five requests in forty minutes."""
    for number, name in enumerate(("debug", "scale", "jobs", "secrets", "debug")):
        told = stage.asks(name, stage.at(10) + 9 * number * MINUTE)
        stage.denied(told, told.at + 50 * MINUTE) if name == "secrets" else stage.unanswered(told)
    stage.label("ManyRequests", "five requests in 36 min", stage.person, also="RequestsTimeOut DecisionBottleneck")


def many_privileged(stage: Stage) -> None:
    """Two requests for a privileged role in half an hour."""
    stage.granted("admin", stage.at(10), duration=600)
    stage.granted("admin", stage.at(10.5), duration=600)
    stage.label("ManyRequests", "two privileged requests in 30 min", stage.person, also="FirstPrivilegedRole")


def spike(stage: Stage) -> None:
    """Nine people are granted a privileged role within half an hour."""
    people = [person for team in stage.life.company.teams.values() for person in team.people[:2]][:9]
    for number, person in enumerate(people):
        stage.granted("admin", stage.at(11) + 3 * number * MINUTE, person=person, by=stage.lead)
    stage.label("PrivilegedSpike", "nine privileged grants in 30 min", also="FirstPrivilegedRole")


def again_and_again(stage: Stage) -> None:
    """The same role six times on a day, always after a while."""
    for number in range(6):
        stage.granted("scale", stage.at(8.5 + 1.6 * number), duration=900)
    stage.label("SameRoleAgain", "the same role six times a day", stage.person)


def denied_elsewhere(stage: Stage) -> None:
    """Denied here, and the same role asked for ten minutes later in another team's namespace."""
    told = stage.asks("admin", stage.at(11))
    stage.denied(told, stage.at(11) + 3 * MINUTE)
    teams = stage.life.company.teams.values()
    elsewhere = next(team for team in teams if team is not stage.team)
    told = stage.asks("admin", stage.at(11) + 13 * MINUTE, team=elsewhere)
    stage.denied(told, told.at + 9 * MINUTE)
    stage.label("DeniedThenElsewhere", "denied, and asked elsewhere 10 min later", stage.person, also="ManyRequests")


def denied_often(stage: Stage) -> None:
    """Denied four times on one day."""
    for number in range(4):
        told = stage.asks("secrets", stage.at(9 + 2 * number))
        stage.denied(told, told.at + 5 * MINUTE)
    stage.label("DeniedThenElsewhere", "denied four times a day", stage.person)


def off_hours(stage: Stage) -> None:
    """Somebody who is never on call wants a privileged role at three in the morning."""
    stage.granted("admin", stage.at(27.1))
    stage.label("OffHours", "a privileged role at 3 a.m.", stage.person, until=stage.at(36), also="FirstPrivilegedRole")


def first_time(stage: Stage) -> None:
    """Somebody gets a privileged role who never had one."""
    stage.granted("admin", stage.at(14))
    stage.label("FirstPrivilegedRole", "the first privileged role of somebody", stage.person)


def without_looking(stage: Stage) -> None:
    """Four requests are approved within seconds by the same person."""
    for number, person in enumerate((stage.person, stage.other, stage.person, stage.other)):
        stage.granted("debug", stage.at(9 + 2 * number), person=person, after=timedelta(seconds=3 + number))
    stage.label("RubberStamping", "approved within seconds four times a day", stage.lead)


def by_one_alone(stage: Stage) -> None:
    """In a month, one person approves all that is asked for under a policy."""
    offer = Offer(stage.team.name, "vault", "secrets")
    stage.team.offers["vault"] = offer
    stage.life.offer(offer, stage.since)
    for number in range(26):
        at = stage.at(10 + 3 * (number % 2), stage.workday(number // 2))
        stage.granted("vault", at, person=stage.team.people[5 + number % 5])
    stage.label(
        "RubberStamping",
        "one person approves everything for a month",
        stage.lead,
        until=stage.at(24, days=31),
        offer=offer,
    )


def nobody_asks(stage: Stage) -> None:
    """A policy is made, and nobody asks for it in a month."""
    offer = Offer(stage.team.name, "archive", "secrets")
    stage.life.offer(offer, stage.since)
    stage.label("UnusedEligibility", "nobody asks for a policy in a month", until=stage.at(24, days=31), offer=offer)


def you_scratch_my_back(stage: Stage) -> None:
    """Two people approve each other, four times in a few days, and nobody else does."""
    pair = stage.person, stage.other
    stage.keep_free(8, *pair)
    for number in range(8):
        person, by = pair[number % 2], pair[(number + 1) % 2]
        at = stage.at(9 + 3 * (number % 2), stage.workday(number // 2))
        stage.granted("debug", at, person=person, by=by)
    stage.label("ReciprocalApproval", "two approve each other", *pair, until=stage.at(24, days=8))


def waits(stage: Stage) -> None:
    """A privileged request waits for fifty minutes."""
    stage.granted("admin", stage.at(10), after=50 * MINUTE)
    stage.label("DecisionBottleneck", "a privileged request waits for 50 min", stage.person, also="FirstPrivilegedRole")


def waits_for_hours(stage: Stage) -> None:
    """Another request waits for six hours."""
    stage.granted("jobs", stage.at(9), after=360 * MINUTE)
    stage.label("DecisionBottleneck", "a request waits for 6 h", stage.person)


def nobody_decides(stage: Stage) -> None:
    """Half of what is asked for under a policy times out."""
    for number in range(10):
        person = stage.team.people[4 + number % 6]
        at = stage.at(9 + 4 * (number % 2), stage.workday(number // 2))
        if number % 2:
            stage.unanswered(stage.asks("secrets", at, person=person))
        else:
            stage.granted("secrets", at, person=person)
    stage.label(
        "RequestsTimeOut",
        "half of the requests of a week time out",
        until=stage.at(24, days=9),
        offer=stage.team.offers["secrets"],
    )
