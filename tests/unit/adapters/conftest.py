"""What the tests against an API server on loopback have in common."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.support.kube import ApiServer, running


@pytest.fixture
def no_system_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep each test from reading the system's certificates, which takes longer than all the rest."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """Return an API server that holds nothing."""
    async with running(ApiServer()) as api:
        yield api
