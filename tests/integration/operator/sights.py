"""What tests on real servers see of requests, policies and bindings."""

from types import TracebackType
from typing import Final, Self

from tests.integration.operator.people import GROUP, RBAC, Body, Person
from tests.integration.operator.pulse import Pulse
from tests.integration.operator.watching import Sight, Watch

REQUESTS: Final = f"{GROUP}/accessrequests"
POLICIES: Final = f"{GROUP}/accesspolicies"
BINDINGS: Final = f"{RBAC}/rolebindings"
LABELLED: Final = "labelSelector=curfew.dev%2Frequest-uid"


class Sights:
    """What the tests look at: requests, policies and our bindings, and how slow the machine is meanwhile."""

    def __init__(self, admin: Person, *, has_pulse: bool = False) -> None:
        """Begin nothing yet. The pulse is four writes a second, for those who judge times (`has_pulse`)."""
        self.requests = Watch(admin, REQUESTS)
        self.policies = Watch(admin, POLICIES)
        self.bindings = Watch(admin, BINDINGS, LABELLED)
        self.pulse = Pulse(admin)
        self._all: tuple[Watch | Pulse, ...] = (
            self.requests,
            self.policies,
            self.bindings,
            *([self.pulse] if has_pulse else []),
        )

    async def __aenter__(self) -> Self:
        """Watch all of them."""
        for watch in self._all:
            await watch.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop."""
        for watch in self._all:
            await watch.__aexit__(kind, error, at)

    def bindings_of(self, uid: str) -> list[Sight]:
        """Return what was seen of all bindings that were ever made for a request, in order."""
        found = [
            sight
            for history in self.bindings.history.values()
            for sight in history
            if sight.body["metadata"]["labels"]["curfew.dev/request-uid"] == uid
        ]
        return sorted(found, key=lambda sight: sight.at)

    def binding(self, uid: str) -> Body | None:
        """Return the binding of a request that is there now, or None."""
        return next(
            (b for b in self.bindings.objects.values() if b["metadata"]["labels"]["curfew.dev/request-uid"] == uid),
            None,
        )
