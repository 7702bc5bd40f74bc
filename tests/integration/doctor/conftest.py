"""A cluster in which Curfew is installed and nothing else has been: what other tests leave behind would be found."""

from collections.abc import Iterator

import pytest

from tests.integration.installed import Installed
from tools.servers.environment import Environment


@pytest.fixture(scope="package")
def own() -> Iterator[Installed]:
    """Return the cluster."""
    with Environment(choice="local") as running:
        cluster = Installed(running)
        cluster.install()
        yield cluster
        cluster.close()
