"""A server for each test, with keys of its own."""

from pathlib import Path

import pytest

from tests.support.intake import Counted, Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Return the files of a server."""
    return Keys(tmp_path)


@pytest.fixture
def observer() -> Counted:
    """Return an observer that remembers."""
    return Counted()
