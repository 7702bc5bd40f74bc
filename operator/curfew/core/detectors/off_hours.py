"""Access that begins when nobody works here."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from curfew.core.detectors.about import about, asker, policy_of, was_planned
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.tuning import DetectorSettings, Span
from curfew.core.remembered import Remembered

NAME: Final = "OffHours"

_DAY: Final = timedelta(days=1)
_MOST_DAYS: Final = 31  # of one person that are remembered


class Weekday(StrEnum):
    """A day of the week, as it is written in settings."""

    MONDAY = "Mon"
    TUESDAY = "Tue"
    WEDNESDAY = "Wed"
    THURSDAY = "Thu"
    FRIDAY = "Fri"
    SATURDAY = "Sat"
    SUNDAY = "Sun"


def _clock(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f"is {text!r}; write a time of day, such as 06:00")
    return text


def _zone(name: str) -> str:
    try:
        _zone_of(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"is {name!r}, which is not a time zone; write UTC or a name such as Europe/Berlin") from None
    return name


def _zone_of(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


TimeOfDay = Annotated[str, AfterValidator(_clock)]
"""A time of day, as 06:00."""


class OffHoursSettings(DetectorSettings):
    """When people work, and when off hours are usual for somebody."""

    begin: TimeOfDay = "06:00"
    end: TimeOfDay = "22:00"
    """If it is before `begin`, the hours are those of a night shift, and belong to the day on which they begin."""
    days: tuple[Weekday, ...] = Field(default=tuple(Weekday)[:5], max_length=7)
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    usual_days: int = Field(default=3, ge=1, le=_MOST_DAYS)
    """Off hours are usual for a person, or in a namespace, if access began in them on so many other days lately."""
    within: Span = timedelta(days=28)
    """How long ago is lately."""
    planned: Span = timedelta(hours=12)
    """A grant that people agreed to so long before it begins is planned, and is not reported."""
    learning: Span = timedelta(days=14)
    """How much of the trail must be known before it is known what is usual."""

    def is_off(self, at: datetime) -> bool:
        """Whether a time is outside the hours."""
        here = at.astimezone(_zone_of(self.time_zone))
        begin, end = time.fromisoformat(self.begin), time.fromisoformat(self.end)
        now = here.time()
        if begin <= end:
            return not begin <= now < end or _weekday(here) not in self.days
        if now < end:  # the part of a night after midnight
            return _weekday(here - _DAY) not in self.days
        return now < begin or _weekday(here) not in self.days


class OffHours:
    """Remembers on which days access began in off hours: for each person, and in each namespace.

    A privileged role is judged by its person and its policy alone: that others are on call does not make it usual.
    """

    name = NAME
    events = frozenset({"grant.activated"})

    def __init__(self, tuned: Tuned[OffHoursSettings], privilege: Privilege) -> None:
        """Know nobody."""
        self._tuned = tuned
        self._privilege = privilege
        self._nights: Remembered[tuple[str, str], tuple[datetime, ...]] = Remembered()  # one time for each day
        self._since: datetime | None = None  # from when on the trail is known

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a grant."""
        story = seen.story
        self._since = min(seen.at, self._since) if self._since is not None else seen.at
        who, settings = story.requester, self._tuned.of(story.namespace, policy_of(story))
        if not who or not settings.is_off(seen.at) or was_planned(story, seen.at, settings.planned):
            return
        here = seen.at.astimezone(_zone_of(settings.time_zone))
        is_privileged = self._privilege.is_privileged(story)
        others = self._other_days(("person", who), seen.at, settings)
        team = self._other_days(("namespace", story.namespace), seen.at, settings)
        policy = self._other_days(("policy", f"{story.namespace}/{policy_of(story)}"), seen.at, settings)
        is_usual = max(others, policy if is_privileged else team) >= settings.usual_days
        if is_usual or seen.at - self._since < settings.learning:
            return
        yield Alert(
            detector=NAME,
            key=who,
            at=seen.at,
            severity=Severity.MEDIUM if is_privileged else Severity.LOW,
            title="Access in off hours",
            message=f"{asker(story)} began to hold {'privileged ' if is_privileged else ''}access in {story.namespace} on "
            f"{_weekday(here)} at {here:%H:%M} ({settings.time_zone}), outside the hours from {settings.begin} to "
            f"{settings.end}, with request {story.request}",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            values={"at": f"{here:%H:%M}", "zone": settings.time_zone, "other_days": others},
            quiet=settings.quiet,
            **about(story),
        )

    def _other_days(self, about: tuple[str, str], at: datetime, settings: OffHoursSettings) -> int:
        """Note that access began, and return on how many other days it did. A night is one day, also after midnight."""
        known = self._nights.get(about) or ()
        others = [one for one in known if timedelta(hours=12) < abs(at - one) <= settings.within]
        if not any(abs(at - one) <= timedelta(hours=12) for one in known):
            self._nights[about] = (*known, at)[-_MOST_DAYS:]
        return len(others)


def _weekday(at: datetime) -> Weekday:
    return tuple(Weekday)[at.weekday()]
