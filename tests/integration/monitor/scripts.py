"""All scripted sessions."""

from typing import Final

from tests.integration.monitor.script import Script
from tests.integration.monitor.scripts_changing import CHANGING
from tests.integration.monitor.scripts_of_people import PEOPLE, TWO_GRANTS
from tests.integration.monitor.scripts_reading import CONNECTIONS, READING
from tests.integration.monitor.scripts_unheard import DOWN, LATE
from tests.integration.monitor.scripts_without_effect import WITHOUT_EFFECT
from tests.support.scale import drawn

__all__ = ["DOWN", "LATE", "READ_BACK", "SCRIPTS", "TWO_GRANTS", "WHOLE"]

WHOLE: Final[tuple[Script, ...]] = (*READING, *CONNECTIONS, *CHANGING, *WITHOUT_EFFECT, *PEOPLE)
"""Sessions during which the feed is whole."""

SCRIPTS: Final = (*WHOLE, *LATE, *DOWN)

READ_BACK: Final = [
    script
    for kind in (READING, CONNECTIONS, CHANGING, WITHOUT_EFFECT, PEOPLE, LATE, DOWN)
    for script in drawn(kind, f"read back {kind[0].title}")
]
"""Those whose answer an auditor looks up as well: some of each kind."""
