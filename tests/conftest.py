"""What holds for all tests."""

import asyncio


def pytest_configure() -> None:
    """Start without an event loop: one that was made by merely asking for it is never closed, and that is a warning."""
    asyncio.set_event_loop(None)
