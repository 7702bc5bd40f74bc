"""The stage on which all attacks are made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.stage import Stage
from tests.integration.installed import Installed
from tools.servers.environment import chosen_cluster

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is only about a control plane without stamping, on one that stamps; None: others may say."""
    is_about_it = collection_path.name == "test_without_stamping.py"
    return True if is_about_it and not config.getoption("--without-stamping") else None


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
