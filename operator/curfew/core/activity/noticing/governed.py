"""Which roles policies offer, folded from the trail: these are to be had through Curfew, and not otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass

from curfew.audit.carried import STORIES_OPEN, Part
from curfew.audit.record import Record, RecordRefused

_WRITTEN = frozenset({"policy.created", "policy.updated", "policy.weakened"})
_DELETED = "policy.deleted"

MOST_POLICIES = 20_000


@dataclass(frozen=True, slots=True)
class _Offer:
    namespace: str
    kind: str
    name: str


class Governed:
    """The roles that are offered now, each in the namespace of its policy."""

    def __init__(self) -> None:
        """Know no policy yet."""
        self._offers: dict[tuple[str, str], _Offer] = {}  # by namespace and name of the policy
        self._here: dict[_Offer, int] = {}
        self._roles: dict[tuple[str, str], int] = {}  # by kind and name
        self.changes = 0
        """Grows whenever another role is offered, or one is not any more."""

    def learn(self, record: Record) -> None:
        """Learn a record of the trail, in the trail's order. One that cannot be read teaches nothing."""
        if record.event == STORIES_OPEN:
            try:
                carried = Part.of(record).policies
            except RecordRefused:
                return
            for policy in carried:
                if policy.event != STORIES_OPEN:
                    self.learn(policy)
        elif record.event in _WRITTEN or record.event == _DELETED:
            self._learn(record)

    def includes(self, binding_kind: str, namespace: str, role_kind: str, role: str) -> bool:
        """Whether a binding of that kind, in that namespace, gives a role that is offered there.

        A ClusterRoleBinding gives its role in all namespaces; its own namespace is empty.
        """
        if binding_kind == "ClusterRoleBinding":
            return role_kind == "ClusterRole" and (role_kind, role) in self._roles
        return _Offer(namespace, role_kind, role) in self._here

    def may_be_in(self, reason: str) -> bool:
        """Whether a reason of RBAC's can name a governed role: a quick look, because nearly every call has another one."""
        if "\\" in reason:  # a name is written with escapes
            return bool(self._offers)
        kind, _, rest = reason.partition('" of ')[2].partition(' "')
        return (kind, rest.partition('"')[0]) in self._roles

    def __len__(self) -> int:
        """Return how many policies offer a role."""
        return len(self._offers)

    def _learn(self, record: Record) -> None:
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        place = str(detail.get("namespace", "")), str(detail.get("policy", ""))
        offer = _offer(place[0], detail.get("spec")) if record.event != _DELETED else None
        before = self._offers.get(place)
        if offer == before or (before is None and len(self._offers) >= MOST_POLICIES):
            return
        if before is not None:
            del self._offers[place]
            self._count(before, -1)
        if offer is not None:
            self._offers[place] = offer
            self._count(offer, 1)
        self.changes += 1

    def _count(self, offer: _Offer, by: int) -> None:
        self._here[offer] = self._here.get(offer, 0) + by
        if not self._here[offer]:
            del self._here[offer]
        role = offer.kind, offer.name
        self._roles[role] = self._roles.get(role, 0) + by
        if not self._roles[role]:
            del self._roles[role]


def _offer(namespace: str, spec: object) -> _Offer | None:
    role = spec.get("roleRef") if isinstance(spec, Mapping) else None
    kind, name = (role.get("kind"), role.get("name")) if isinstance(role, Mapping) else (None, None)
    if not namespace or not isinstance(kind, str) or not isinstance(name, str):
        return None
    return _Offer(namespace, kind, name)
