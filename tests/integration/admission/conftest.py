"""One namespace with its people for all questions of admission: no two tests share an object."""

from collections.abc import Iterator

import pytest

from tests.integration.admission.asking import World
from tests.integration.installed import Installed


@pytest.fixture(scope="session")
def world(cluster: Installed) -> Iterator[World]:
    """Return the namespace with its people."""
    made = World(cluster)
    yield made
    cluster.drop_namespace(made.namespace)
