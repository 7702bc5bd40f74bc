"""Which roles are privileged: their holder could make access that outlives the grant, or settings name them."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record, Story
from curfew.core.policy_records import place_of
from curfew.core.remembered import Remembered
from curfew.core.risk import permanent, risks

MOST_ROLES: Final = 10_000
MOST_POLICIES: Final = 10_000

OFFERED: Final = frozenset({"policy.created", "policy.updated", "policy.weakened"})


class Privilege:
    """What the trail tells about roles: the rules of those that were granted, and which policies allow permanence.

    All detectors share one. `learn` comes before the detectors learn a record.
    """

    events: Final = frozenset({*OFFERED, "grant.intended", STORIES_OPEN})
    """The events that it learns from."""

    def __init__(self, named: Collection[str] = ()) -> None:
        """Know the roles that are privileged in any case, written as KIND/NAME, such as ClusterRole/admin."""
        self._named = frozenset(named)
        self._by_rules: Remembered[str, bool] = Remembered(MOST_ROLES)
        self._by_policy: Remembered[tuple[str, str], bool] = Remembered(MOST_POLICIES)

    def learn(self, record: Record) -> None:
        """Learn from a record of the trail. Raise TypeError or ValueError, or teach nothing, if it cannot be read."""
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        if record.event == "grant.intended":
            self._learn_rules(record, detail)
        elif record.event == STORIES_OPEN:
            for body in detail.get("policies", ()):
                carried = Record.parse(body)
                self._learn_policy(carried, carried.block.get("detail"))
        else:
            self._learn_policy(record, detail)

    def is_privileged(self, story: Story) -> bool:
        """Whether the role that a request is about is privileged, as far as is known by now."""
        role = story.role
        if role is not None:
            if f"{role.kind}/{role.name}" in self._named:
                return True
            known = self._by_rules.get(role.rules_digest)
            if known is not None:
                return known
        return story.policy is not None and self.is_offered(story.namespace, story.policy.name)

    def is_offered(self, namespace: str, policy: str) -> bool:
        """Whether a policy offers a privileged role, as far as the policy's own text shows."""
        return self._by_policy.get((namespace, policy)) is True

    def _learn_rules(self, record: Record, detail: Mapping[str, Any]) -> None:
        role, rules = Story.of(record).role, detail.get("rules")
        if role is not None and isinstance(rules, list) and role.rules_digest not in self._by_rules:
            self._by_rules[role.rules_digest] = bool(permanent(risks(rules)))

    def _learn_policy(self, record: Record, detail: object) -> None:
        place, spec = place_of(record), detail.get("spec") if isinstance(detail, Mapping) else None
        if place is None or not isinstance(spec, Mapping):
            return
        ref = spec.get("roleRef")
        is_named = isinstance(ref, Mapping) and f"{ref.get('kind')}/{ref.get('name')}" in self._named
        self._by_policy[place.namespace, place.name] = is_named or spec.get("allowPermanence") is True
