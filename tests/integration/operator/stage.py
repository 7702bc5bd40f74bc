"""Where stories are played: the people, what is seen, and places that go when the story is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.installed import Installed
from tests.integration.operator.people import People, everybody
from tests.integration.operator.place import Place
from tests.integration.operator.sights import Sights


class Stage:
    """Everything that a story needs, for as long as one event loop runs."""

    def __init__(self, cluster: Installed, people: People, sights: Sights) -> None:
        """Take who is there."""
        self.cluster = cluster
        self.people = people
        self.sights = sights
        self.places: list[Place] = []

    async def place(self, *, named: str = "", opted_in: bool = True) -> Place:
        """Make a namespace with everything in it, of a new name unless one is given."""
        made = await asyncio.to_thread(Place, self.cluster, self.people, self.sights, named=named, opted_in=opted_in)
        self.places.append(made)
        return made


@asynccontextmanager
async def a_stage(cluster: Installed, certificates: Path, *, has_pulse: bool = False) -> AsyncIterator[Stage]:
    """Return a stage; its namespaces go with it."""
    async with everybody(cluster, certificates) as people, Sights(people.admin, has_pulse=has_pulse) as sights:
        stage = Stage(cluster, people, sights)
        try:
            yield stage
        finally:
            for place in stage.places:
                await asyncio.to_thread(cluster.drop_namespace, place.namespace)
