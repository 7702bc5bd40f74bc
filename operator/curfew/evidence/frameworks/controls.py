"""A control and a framework, as a report uses them."""

from dataclasses import dataclass

from curfew.evidence.exception_kinds import ExceptionKind
from curfew.evidence.figures import Figures
from curfew.evidence.topics import Topic


@dataclass(frozen=True, slots=True)
class Control:
    """One control: its number, its subject, what it requires, what the log shows for it, and what it cannot show."""

    id: str
    title: str
    asks: str
    topics: tuple[Topic, ...]
    cannot_here: tuple[str, ...] = ()

    def shows(self, figures: Figures) -> tuple[str, ...]:
        """Return what the log shows for the control, with numbers."""
        return tuple(sentence for topic in self.topics for sentence in topic.shows(figures))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that hold the evidence."""
        return tuple(dict.fromkeys(table for topic in self.topics for table in topic.tables))

    @property
    def kinds(self) -> tuple[ExceptionKind, ...]:
        """The kinds of exception that bear on the control."""
        return tuple(dict.fromkeys(kind for topic in self.topics for kind in topic.kinds))

    @property
    def cannot(self) -> tuple[str, ...]:
        """What Curfew cannot show for the control."""
        return tuple(dict.fromkeys((*self.cannot_here, *(one for topic in self.topics for one in topic.cannot))))


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework: the controls that access records bear on, and related ones that records show nothing about, with why."""

    key: str
    name: str
    edition: str
    controls: tuple[Control, ...]
    silent: tuple[tuple[str, str], ...]
