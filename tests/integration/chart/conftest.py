"""A cluster for releases that come and go: each test finds nothing of Curfew in it."""

from collections.abc import Iterator

import pytest

from tests.integration.installed import SYSTEM, Installed
from tests.support.api import succeed, until
from tools.installation import KINDS
from tools.servers.environment import Environment

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LEFT = (
    "api/v1/namespaces/{}/secrets",
    "api/v1/namespaces/{}/configmaps",
    "apis/coordination.k8s.io/v1/namespaces/{}/leases",
)
"""What a release leaves in its namespace, or its operators do."""


@pytest.fixture(scope="package")
def emptied() -> Iterator[Installed]:
    """Return the cluster; tests take `apart`."""
    with Environment(choice="local") as running:
        cluster = Installed(running)
        yield cluster
        cluster.close()


@pytest.fixture
def apart(emptied: Installed) -> Iterator[Installed]:
    """Return a cluster in which nothing is installed, and take from it what releases leave."""
    yield emptied
    api = emptied.api
    for kind in KINDS:
        api.ask("DELETE", f"{DEFINITIONS}/{kind}")
    for collection in LEFT:
        succeed(api.ask("DELETE", f"/{collection.format(SYSTEM)}"))
    until(lambda: not any(api.ask("GET", f"{DEFINITIONS}/{kind}").stdout for kind in KINDS), "that all kinds are gone")
