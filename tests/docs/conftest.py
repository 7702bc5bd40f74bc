"""The demo, run once for all who want to see what it told, and kept for the pages whose commands are typed in it."""

from collections.abc import Iterator

import pytest

from tests.docs.telling import Told


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    """Return the demo when it was told; that takes a bit over a minute."""
    kept = Told()
    yield kept
    kept.close()
