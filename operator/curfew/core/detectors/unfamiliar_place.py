"""UnfamiliarPlace: a person comes from a network, or with a credential, that was not seen of them lately."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import count
from curfew.core.activity.noticing.places import PRIVATE
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.familiar import MOST_OF_A_KIND, Familiar
from curfew.core.detectors.reading import actor, detail, text
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned
from curfew.core.remembered import Remembered

NAME: Final = "UnfamiliarPlace"
_MOST_PEOPLE: Final = 20_000


class UnfamiliarPlaceSettings(DetectorSettings):
    """How long a place stays familiar, and how much has to be known of a person before anything is told."""

    within: Span = timedelta(days=14)
    """How long a network or a credential stays familiar after it was last seen of the person."""
    learning: Span = timedelta(days=14)
    """How long the log has to tell of people before anything is told."""
    days: int = Field(default=5, ge=1, le=30)
    """On how many days a person has to have been seen before."""
    networks: int = Field(default=8, ge=1, le=MOST_OF_A_KIND)
    """From how many networks a person may have come lately, and still have familiar ones: beyond, they move about."""
    credentials: int = Field(default=3, ge=1, le=MOST_OF_A_KIND)
    """How many credentials a person may have shown lately, and still have familiar ones: beyond, theirs are short-lived."""
    quiet: Span = timedelta(days=14)
    """For how long nothing more is told of one person and one place."""


class UnfamiliarPlace:
    """Learns the places of each person. What is a place is one network or one credential."""

    name = NAME
    events = frozenset({"person.seen"})

    def __init__(self, tuned: Tuned[UnfamiliarPlaceSettings]) -> None:
        """Know the settings, and nobody yet."""
        self._settings = tuned.usual
        self._people: Remembered[str, Familiar] = Remembered(_MOST_PEOPLE)
        self._began: datetime | None = None  # the first time that anybody was seen

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn where a person came from, and return the alert if that is unfamiliar."""
        told, who = detail(seen.record), actor(seen.record)
        network, credential = text(told, "network"), text(told, "credential")
        if not who or not (network or credential):
            return
        self._began = min(seen.at, self._began or seen.at)
        person = self._people[who] = self._people.get(who) or Familiar()
        found = self._judge(person, seen, who, network, credential)
        person.see(seen.at, network, credential)
        if found is not None:
            yield found

    def _judge(self, person: Familiar, seen: Seen, who: str, network: str, credential: str) -> Alert | None:
        settings = self._settings
        since, today = person.since(seen.at, settings.within), seen.at.date()
        known = person.days(since, today - timedelta(days=1))
        is_learning = self._began is None or seen.at - self._began < settings.learning
        if known < settings.days or is_learning:
            return None
        is_new_network = network not in ("", PRIVATE) and self._is_new_network(person, network, since, today)
        is_new_credential = bool(credential) and self._is_new_credential(person, credential, since, today)
        if not is_new_network and not is_new_credential:
            return None
        new = {"network": network if is_new_network else "", "credential": credential if is_new_credential else ""}
        what = " and ".join(
            words
            for words, it_is in ((f"network {network}", is_new_network), ("a new credential", is_new_credential))
            if it_is
        )
        days = settings.within // timedelta(days=1)
        return Alert(
            detector=NAME,
            key="/".join(filter(None, (who, *new.values()))),
            at=seen.at,
            severity=_severity(is_new_network, is_new_credential),
            title="A person comes from an unfamiliar place",
            message=f"{who} came {'from' if is_new_network else 'with'} {what}, which they had not used in "
            f"{count(days, 'day')}; they were seen on {count(known, 'day')} in this time; "
            f"this detector has learnt since {self._began:%Y-%m-%d}",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            people=(who,),
            values={**{name: value for name, value in new.items() if value}, "days_known": known},
            quiet=settings.quiet,
        )

    def _is_new_network(self, person: Familiar, network: str, since: date, until: date) -> bool:
        known = person.networks.days(since, until)
        is_known = person.networks.is_familiar(network, since, until)
        return bool(known) and not is_known and len(known) <= self._settings.networks

    def _is_new_credential(self, person: Familiar, credential: str, since: date, until: date) -> bool:
        """Whether a person with credentials that last shows another one. Tokens that live for hours are new each day."""
        known = person.credentials.days(since, until)
        lasts = any(days >= self._settings.days for days in known)
        is_known = person.credentials.is_familiar(credential, since, until)
        return lasts and not is_known and len(known) <= self._settings.credentials


def _severity(is_new_network: bool, is_new_credential: bool) -> Severity:
    if is_new_network and is_new_credential:
        return Severity.HIGH
    return Severity.MEDIUM if is_new_network else Severity.LOW
