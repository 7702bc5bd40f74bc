"""The namespace of one scripted session: its requester may ask for some roles, and bob may revoke."""

from collections.abc import Sequence
from typing import Any, Final

from tests.integration.installed import Installed
from tests.integration.operator.people import Body, People
from tests.integration.operator.place import Place, rule
from tests.integration.operator.sights import Sights

EVERYTHING: Final = "curfew-test"
"""The role that allows everything in the namespace; the chart was installed with the right to grant it."""


class Ground(Place):
    """A namespace with what one session needs, and no more."""

    def __init__(  # the parent's is for several people and many policies
        self, cluster: Installed, people: People, sights: Sights, *, requester: str, roles: Sequence[str], named: str
    ) -> None:
        """Make it, of a new name unless one is given."""
        self._requester = requester
        self._roles = roles
        super().__init__(cluster, people, sights, named=named)

    def offers(self) -> list[Body]:
        """Return one policy for each role, which needs nobody's approval."""
        more: dict[str, Any] = {"approval": {"mode": "Automatic"}, "allowPermanence": True}
        return [self.policy(role, role=role, **more) for role in self._roles]

    def rights(self) -> list[Body]:
        """Return the roles of the requester and of bob."""
        asking = [
            rule("accessrequests", "get", "create"),
            rule("accessrequests/status", "get", "patch"),
            rule("accesspolicies", "request"),
        ]
        deciding = [rule("accessrequests/status", "get", "patch"), rule("accesspolicies", "revoke")]
        return [
            *self.role("asking", asking, [self._requester]),
            *self.role("deciding", deciding, [self.people.bob.name]),
        ]


def everything() -> Body:
    """Return the role that allows everything."""
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": EVERYTHING},
        "rules": rules,
    }
