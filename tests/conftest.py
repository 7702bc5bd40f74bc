"""What holds for all tests, and the real servers: one control plane and one bucket server for whoever asks for them."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.integration.installed import Installed
from tools.servers.environment import Environment


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what can be asked for."""
    parser.addoption(
        "--without-stamping",
        action="store_true",
        help="use a control plane as before Kubernetes 1.36, on which nothing fills in who asks",
    )


def pytest_configure() -> None:
    """Start without an event loop, and let no test fail by being slow.

    An event loop that was made by merely asking for it is never closed, and that is a warning.
    """
    asyncio.set_event_loop(None)
    # A machine may be busy: how long an example takes proves nothing.
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """Return running servers; the first time ever, they are built, which takes minutes."""
    with Environment(mutating_admission=not request.config.getoption("--without-stamping")) as running:
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
