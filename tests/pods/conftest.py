"""A cluster with real pods for all tests of this folder. They need root and Linux, and are run by `make pods`."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.pods.ground import Ground
from tools.cluster import curfew
from tools.cluster.image import image_archive
from tools.servers.environment import Environment


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """Return Curfew in real pods: two replicas on two nodes."""
    archive = image_archive(os.environ.get("BASE") or None)
    with Environment(choice="pods") as environment:
        ground = Ground(environment)
        ground.cluster.load(archive)
        environment.s3.make_bucket(curfew.BUCKET)
        ground.install()
        curfew.offer(ground.cluster)
        yield ground
        ground.api.close()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, timedelta], None]:
    """Return a note of how long something took; it is shown at the end of the run."""
    return lambda name, took: record_property(name, f"{took.total_seconds() * 1000:.0f} ms")
