"""All that is in this folder asks real servers; their fixtures are in tests/conftest.py, shared with tests/attacks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.emitting import missing

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder: `-m "not integration"` leaves it out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured: how late the ends were, how much memory was taken, and the like."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    figures = {
        f"{report.nodeid.rpartition('::')[2]}: {name} {value}": None
        for report in reports
        for name, value in getattr(report, "user_properties", ())
    }
    if figures:
        terminalreporter.section("measured")
        for figure in figures:
            terminalreporter.write_line(figure)


@pytest.fixture(autouse=True)
def emits_what_it_shows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold a test to the events that it is named for."""
    yield
    assert missing(request.node.nodeid) == [], "no log that was read here holds these events"
