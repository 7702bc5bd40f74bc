"""What is familiar of one person: on which days they were seen, from which networks, and with which credentials."""

from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

MOST_OF_A_KIND: Final = 64
"""How many networks, credentials and days of one person are remembered. The ones that were not seen for longest go first."""


@dataclass(slots=True)
class OftenSeen:
    """A network or a credential of one person: the days on which it was seen, in order."""

    days: list[date] = field(default_factory=list)

    def see(self, day: date) -> None:
        """Learn that it was seen on a day."""
        if day not in self.days:
            insort(self.days, day)
            del self.days[:-MOST_OF_A_KIND]

    def between(self, since: date, until: date) -> int:
        """Return on how many days it was seen from one day to another, both included."""
        return bisect_left(self.days, until + timedelta(days=1)) - bisect_left(self.days, since)


class FamiliarThings:
    """The networks of one person, or their credentials."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[str, OftenSeen] = OrderedDict()

    def see(self, name: str, day: date) -> None:
        """Learn that one was seen on a day."""
        one = self._known.setdefault(name, OftenSeen())
        one.see(day)
        self._known.move_to_end(name)
        if len(self._known) > MOST_OF_A_KIND:
            self._known.popitem(last=False)

    def days(self, since: date, until: date) -> tuple[int, ...]:
        """Return on how many days each one was seen from one day to another, without those that were not."""
        return tuple(days for one in self._known.values() if (days := one.between(since, until)))

    def is_familiar(self, name: str, since: date, until: date) -> bool:
        """Whether one was seen from one day to another."""
        known = self._known.get(name)
        return known is not None and known.between(since, until) > 0


class Familiar:
    """One person."""

    def __init__(self) -> None:
        """Know nothing of them."""
        self._seen = OftenSeen()
        self.networks = FamiliarThings()
        self.credentials = FamiliarThings()

    def see(self, at: datetime, network: str, credential: str) -> None:
        """Learn that they were seen."""
        day = at.date()
        self._seen.see(day)
        if network:
            self.networks.see(network, day)
        if credential:
            self.credentials.see(credential, day)

    def since(self, at: datetime, length: timedelta) -> date:
        """Return the first of the days that count for what is familiar at an instant: so long before it.

        Holidays make nobody's office unfamiliar: the days on which the person was away at last are left out.
        """
        day = at.date()
        place = bisect_left(self._seen.days, day)
        return (self._seen.days[place - 1] + timedelta(days=1) if place else day) - length

    def days(self, since: date, until: date) -> int:
        """Return on how many days they were seen from one day to another, both included."""
        return self._seen.between(since, until)
