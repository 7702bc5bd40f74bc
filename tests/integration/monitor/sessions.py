"""Sessions on a real API server: somebody gets access, uses it, and it ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tests.integration.operator.people import Person
from tests.integration.operator.place import Asked, Place

CORE: Final = "/api/v1/namespaces"
FINAL_SECONDS: Final = 90.0

Answer = Mapping[str, Any]


class Sessions:
    """A namespace in which alice asks and bob revokes."""

    def __init__(self, place: Place) -> None:
        """Offer the role edit beside view."""
        self.place = place
        self.alice = place.people.alice
        self.offer("editing")

    def offer(self, policy: str) -> None:
        """Offer the role edit by a policy of this name."""
        automatic = self.place.policy(policy, role="edit", approval={"mode": "Automatic"}, allowPermanence=True)
        self.place.cluster.apply(automatic)

    @property
    def path(self) -> str:
        """Return where the objects of the namespace are."""
        return f"{CORE}/{self.place.namespace}"

    async def begin(
        self, policy: str = "editing", *, by: Person | None = None, right: Sequence[str] = ("list", "pods"), **spec: Any
    ) -> "Session":
        """Give somebody access, alice if nobody is named; return when it can be used, by a `right` that the role has.

        It lasts longer than a test does on a slow machine.
        """
        asked = await self.place.ask(by or self.alice, policy, **{"duration": "10m", **spec})
        await asked.phase("Active")
        await asked.bound()
        await asked.usable(*right)
        return Session(self, asked)

    async def metrics(self) -> str:
        """Return the API server's own numbers."""
        async with self.place.people.admin.stream("/metrics") as response:
            return await response.text()

    def config_map(self, name: str) -> dict[str, Any]:
        """Return a ConfigMap."""
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}}


class Session:
    """Somebody's access."""

    def __init__(self, sessions: Sessions, asked: Asked) -> None:
        """Take the request."""
        self.sessions = sessions
        self.asked = asked

    @property
    def activity(self) -> Answer:
        """Return what the request says of it now."""
        told: Answer = self.asked.status.get("activity", {})
        return told

    async def end(self) -> datetime:
        """Have bob revoke it, and return when the binding was seen to be gone."""
        (await self.asked.decide(self.sessions.place.people.bob, "Revoke", reason="it was used enough")).done()
        return await self.asked.unbound()

    async def final(self, seconds: float = FINAL_SECONDS) -> Answer:
        """Return the final answer."""
        await self.asked.until(lambda: self.activity.get("final"), "a final answer", seconds)
        return self.activity

    async def shows(self, seconds: float = FINAL_SECONDS, **fields: Any) -> Answer:
        """Return the answer once it has these fields."""
        await self.asked.until(
            lambda: fields.items() <= dict(self.activity).items(), f"an answer with {fields}", seconds
        )
        return self.activity
