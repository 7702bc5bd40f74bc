"""One real control plane and one real bucket server for all integration tests, with the chart installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.installed import Installed
from tools.servers.environment import Environment

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder: `-m "not integration"` leaves it out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """Return running servers; the first time ever, they are built, which takes minutes."""
    with Environment() as running:
        yield running


@pytest.fixture(scope="session")
def cluster(environment: Environment) -> Iterator[Installed]:
    """Return the cluster with the chart installed and its policies in force."""
    installed = Installed(environment)
    try:
        installed.install()
        yield installed
    finally:
        if environment.choice != "local":  # ours goes with the servers
            installed.uninstall()


@pytest.fixture
def namespace(cluster: Installed) -> Iterator[str]:
    """Return a new namespace that takes part."""
    name = cluster.make_namespace()
    yield name
    cluster.drop_namespace(name)
