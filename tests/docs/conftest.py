"""The demo, run once for all who want to see what it told."""

import pytest

from tests.docs.telling import Told, tell


@pytest.fixture(scope="session")
def told() -> Told:
    """Return what the demo told, with all that was typed after it; it takes a bit over a minute."""
    return tell()
