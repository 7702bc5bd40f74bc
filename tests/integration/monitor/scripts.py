"""All scripted sessions, of which `make test` plays a half: some of each kind."""

from collections.abc import Mapping, Set
from typing import Final

from tests.integration.monitor.script import Script
from tests.integration.monitor.scripts_changing import CHANGING
from tests.integration.monitor.scripts_of_people import PEOPLE, TWO_GRANTS
from tests.integration.monitor.scripts_reading import CONNECTIONS, READING
from tests.integration.monitor.scripts_unheard import DOWN, LATE
from tests.integration.monitor.scripts_without_effect import WITHOUT_EFFECT
from tests.support.scale import drawn

__all__ = ["BY_OTHER_ACCOUNTS", "DOWN", "LATE", "READ_BACK", "SCRIPTS", "TWO_GRANTS", "WHOLE"]

BY_OTHER_ACCOUNTS: Final = (
    "a pod that it made goes on acting",
    "a token is made, and used also after the end",
    "acting as a service account, as the access allows",
)
"""Sessions in which somebody let a service account call."""


_KINDS: Final = (READING, CONNECTIONS, CHANGING, WITHOUT_EFFECT, PEOPLE)


def _played() -> set[str]:
    """Return the titles of half of each kind, of what tests ask for by name, and of one session for each event of the log."""
    half = [script for kind in _KINDS for script in drawn(kind, f"played {kind[0].title}", 2)]
    played = {*BY_OTHER_ACCOUNTS, TWO_GRANTS.title, "no use at all", *(script.title for script in half)}
    everybody = [script for kind in _KINDS for script in kind]
    logged = {event for script in everybody if script.title in played for event in _events(script)}
    for script in everybody:
        if _events(script) - logged:
            played.add(script.title)
            logged |= _events(script)
    return played


def _events(script: Script) -> Set[str]:
    return script.log.keys() if isinstance(script.log, Mapping) else set()


_TITLES: Final = _played()
_OF_KINDS: Final = [[script for script in kind if script.title in _TITLES] for kind in _KINDS]

WHOLE: Final = [script for kind in _OF_KINDS for script in kind]
"""Sessions during which the feed is whole. What becomes of each event is tested on recorded ones as well."""

SCRIPTS: Final = (*WHOLE, *LATE, *DOWN)

READ_BACK: Final = [script for kind in (*_OF_KINDS, LATE, DOWN) for script in drawn(kind, f"read back {kind[0].title}")]
"""Those whose answer an auditor looks up as well: some of each kind."""
