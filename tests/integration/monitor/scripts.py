"""All scripted sessions."""

from typing import Final

from tests.integration.monitor.script import Script
from tests.integration.monitor.scripts_changing import CHANGING
from tests.integration.monitor.scripts_of_people import PEOPLE, TWO_GRANTS
from tests.integration.monitor.scripts_reading import CONNECTIONS, READING
from tests.integration.monitor.scripts_unheard import DOWN, LATE
from tests.integration.monitor.scripts_without_effect import WITHOUT_EFFECT

__all__ = ["DOWN", "LATE", "SCRIPTS", "TWO_GRANTS", "WHOLE"]

WHOLE: Final[tuple[Script, ...]] = (*READING, *CONNECTIONS, *CHANGING, *WITHOUT_EFFECT, *PEOPLE)
"""Sessions during which the feed is whole."""

SCRIPTS: Final = (*WHOLE, *LATE, *DOWN)
