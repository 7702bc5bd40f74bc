"""All scripted sessions, of which `make test` plays a half: some of each kind."""

from collections.abc import Sequence
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


def _played(kind: Sequence[Script]) -> Sequence[Script]:
    """Return half of a kind, and what tests ask for by its name; to read each event right is tested on recorded ones, too."""
    asked_for = (*BY_OTHER_ACCOUNTS, TWO_GRANTS.title, "no use at all")
    half = {script.title for script in drawn(kind, f"played {kind[0].title}", 2)}
    return [script for script in kind if script.title in half or script.title in asked_for]


_KINDS: Final = tuple(map(_played, (READING, CONNECTIONS, CHANGING, WITHOUT_EFFECT, PEOPLE)))

WHOLE: Final = [script for kind in _KINDS for script in kind]
"""Sessions during which the feed is whole."""

SCRIPTS: Final = (*WHOLE, *LATE, *DOWN)

READ_BACK: Final = [script for kind in (*_KINDS, LATE, DOWN) for script in drawn(kind, f"read back {kind[0].title}")]
"""Those whose answer an auditor looks up as well: some of each kind."""
