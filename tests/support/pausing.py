"""A pause between two questions for which there is nothing to watch."""

import asyncio
from typing import Final

PAUSE_SECONDS: Final = 0.1
"""Questions without a pause keep the API server and the process that is asked from what others wait for."""


async def a_moment() -> None:
    """Return after a moment."""
    await asyncio.sleep(PAUSE_SECONDS)
