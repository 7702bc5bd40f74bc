"""What can be measured: an operator that gives access on approval and takes it back at its end.

To measure another one, write a class like `bench.lives.floor.Floor`, and name it in `bench.lives.measuring.CONTENDERS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody is to ask for."""

    batch: str
    number: int
    person: str  # the user who asks
    ends: datetime
    begins: datetime | None = None  # None: as soon as it is approved

    @property
    def name(self) -> str:
        """Return the name of the request."""
        return f"{self.batch}-{self.number}"


class Contender(Protocol):
    """An operator on the servers of the bench."""

    title: str
    namespace: str
    requests: str
    """The path of the collection of requests in the namespace."""

    user: str
    """Who the operator is to the API server."""

    person: str
    """Who asks, with {} in it for a number, because limits count by person."""

    approver: str
    """Who approves: a context with a certificate."""

    def start(self) -> None:
        """Install and start it. It gives access when this returns."""
        ...

    def stop(self) -> None:
        """End its processes."""
        ...

    def pids(self) -> Sequence[int]:
        """Return the processes whose time and memory count."""
        ...

    def manifest(self, order: Order) -> Body:
        """Return the request that asks for this."""
        ...

    def approval(self, name: str) -> Sequence[Body]:
        """Return the JSON patch of a request's status by which the approver agrees."""
        ...

    def is_waiting(self, request: Body) -> bool:
        """Whether a request is ready to be approved."""
        ...

    def is_due(self, request: Body) -> bool:
        """Whether an approved request that begins later waits for nothing but its time."""
        ...

    def asked_by(self, binding: Body) -> str | None:
        """Return the name of the request that a RoleBinding grants, or None if it grants none."""
        ...
