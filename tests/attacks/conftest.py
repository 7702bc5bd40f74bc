"""The stage on which all attacks are made, and another without the policy that fills in who asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.stage import Stage
from tests.integration.installed import Installed
from tools.servers.environment import Environment, chosen_cluster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder as needing real servers, and leave it out where people have no certificates."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if chosen_cluster() != "local":
                item.add_marker(
                    pytest.mark.skip(reason="attacks need a control plane of our own: people with certificates")
                )


@pytest.fixture(scope="session")
def stage(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the namespace in which all attacks are made; no two share an object."""
    made = Stage(cluster, tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def unstamped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the same on a control plane as before Kubernetes 1.36: who asks is written by hand."""
    with Environment(mutating_admission=False, bucket_server=False) as environment:
        installed = Installed(environment)
        installed.install()
        made = Stage(installed, tmp_path_factory.mktemp("keys"))
        yield made
        made.close()
