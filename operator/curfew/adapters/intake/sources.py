"""The names of sources, which the senders choose: bounded in form and number."""

from typing import Final

from curfew.settings.values import dns_label

MOST_SOURCES: Final = 64


class SourceRefused(Exception):
    """A name that is no source's. `str(error)` is a sentence for people."""


class Sources:
    """The names that were used so far."""

    def __init__(self) -> None:
        """None was used."""
        self._names: set[str] = set()

    def admit(self, name: str) -> None:
        """Remember a name, or raise `SourceRefused`."""
        if name in self._names:
            return
        try:
            dns_label(name)
        except ValueError as error:
            raise SourceRefused(f"The source {error}.") from error
        if len(self._names) >= MOST_SOURCES:
            raise SourceRefused(
                f"There are {MOST_SOURCES} sources already. Give each API server one name, and keep it; a restart of "
                "the monitor forgets the names."
            )
        self._names.add(name)
