"""The recorded log, read once."""

from pathlib import Path

import pytest

from curfew.evidence.account import Account
from tests.recorded.recording import Recording, account_of


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Return the log that the operator wrote."""
    return Recording.load()


@pytest.fixture(scope="session")
def account(recording: Recording) -> Account:
    """Return what a report is made of."""
    return account_of(recording.objects, recording.key)


@pytest.fixture(scope="session")
def location(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the log."""
    return recording.unpack(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, location: Path) -> None:
    """Keep the index of the log beside it, for all of these tests and nobody else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(location.parent / "cache"))
