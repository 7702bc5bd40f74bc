"""All that is in this folder asks real servers; their fixtures are in tests/conftest.py, shared with tests/attacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.emitting import missing

HERE = f"{Path(__file__).parent}/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder: `-m "not integration"` leaves it out."""
    for item in items:
        if str(item.path).startswith(HERE):  # paths compare slowly, and there are twelve thousand
            item.add_marker(pytest.mark.integration)


@pytest.fixture(autouse=True)
def emits_what_it_shows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold a test to the events that it is named for."""
    yield
    assert missing(request.node.nodeid) == [], "no log that was read here holds these events"
