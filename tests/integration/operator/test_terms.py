"""What was approved is what is granted: policies and roles swapped under their names before the grant (promise P5).

All of it happens at once, between the approvals and the one instant at which everything is to begin: while Curfew looks on, or
while it is down and finds on its return what is there then (one of the two outside of `make soak`). Each swap has a twin that
changes no terms.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from curfew.api.times import format_time
from curfew.core.facts import FRESH
from tests.integration.installed import Installed
from tests.integration.operator.people import GROUP, RBAC, Body, Person
from tests.integration.operator.place import FINAL, SOON, Asked, Place, now
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess, dead
from tests.support.pausing import a_moment
from tests.support.scale import drawn

STARTS_IN: Final = tuple(timedelta(seconds=seconds) for seconds in (12, 30, 90))
"""Within which everybody has agreed, and everything is swapped. A machine that was too slow for that is given longer."""

AGGREGATED: Final = ("curfew-test", "payments-debug")
"""The ClusterRoles that Curfew may bind and that are nobody's: one is attacked, the other its twin."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A policy, and a role of the same name that it offers."""

    place: Place
    name: str

    @property
    def is_aggregated(self) -> bool:
        """Tell whether the role is a ClusterRole made of others."""
        return self.name in AGGREGATED

    @property
    def admin(self) -> Person:
        """Return who changes things."""
        return self.place.people.admin

    @property
    def policies(self) -> str:
        """Return where policies are."""
        return f"{GROUP}/namespaces/{self.place.namespace}/accesspolicies"

    @property
    def roles(self) -> str:
        """Return where the role is."""
        return f"{RBAC}/clusterroles" if self.is_aggregated else f"{RBAC}/namespaces/{self.place.namespace}/roles"

    def policy(self, *, role: Mapping[str, str] | None = None) -> Body:
        """Return the policy; a role may be given that it offers instead."""
        kind = "ClusterRole" if self.is_aggregated else "Role"
        return self.place.policy(self.name, roleRef=role or {"kind": kind, "name": self.name})

    def role(self) -> Body:
        """Return the role, which reads pods; an aggregated one is given its rules by others."""
        if not self.is_aggregated:
            return {**_rbac("Role", self.name), "rules": [_on_pods("get")]}
        selected = [{"matchLabels": {"curfew-test/into": self.name}}]
        return {**_rbac("ClusterRole", self.name), "aggregationRule": {"clusterRoleSelectors": selected}}

    def part(self, number: int, *, into: str = "") -> Body:
        """Return a ClusterRole that an aggregated one is made of."""
        role = {**_rbac("ClusterRole", f"{self.name}-part-{number}"), "rules": [_on_pods(f"verb-{number}")]}
        role["metadata"]["labels"] = {"curfew-test/into": into or self.name}
        return role

    async def make(self) -> None:
        """Make both; what other tests have left of a role is taken away."""
        await self.clear()
        if self.is_aggregated:
            await self.add(self.roles, self.part(1))
        await self.add(self.roles, self.role())
        await self.until_rules(1)
        await self.add(self.policies, self.policy())

    async def add(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Create something."""
        (await self.admin.post(path, manifest)).done()

    async def remove(self, path: str) -> None:
        """Delete the role, or the policy."""
        (await self.admin.delete(f"{path}/{self.name}")).done()

    async def edit(self, path: str, field: str, value: object) -> None:
        """Set a field of the role, or of the policy."""
        (await self.admin.patch(f"{path}/{self.name}", [{"op": "add", "path": field, "value": value}])).done()

    async def until_rules(self, count: int) -> None:
        """Return when the role has so many rules; those of an aggregated one are written by a controller."""
        async with asyncio.timeout(SOON):
            while len((await self.admin.get(f"{self.roles}/{self.name}")).done().get("rules") or ()) != count:
                await a_moment()

    async def clear(self) -> None:
        """Remove what is not in the namespace."""
        if self.is_aggregated:
            for name in (self.name, f"{self.name}-part-1", f"{self.name}-part-2"):
                await self.admin.delete(f"{RBAC}/clusterroles/{name}")


async def role_edited(offer: Offer) -> None:
    """One verb more."""
    await offer.edit(offer.roles, "/rules/0/verbs/-", "delete")


async def role_edited_and_put_back(offer: Offer) -> None:
    """The rules are those that were approved."""
    await offer.edit(offer.roles, "/rules", [_on_pods("get", "delete")])
    await offer.edit(offer.roles, "/rules", [_on_pods("get")])


async def role_deleted(offer: Offer) -> None:
    """It is gone."""
    await offer.remove(offer.roles)


async def role_labelled(offer: Offer) -> None:
    """A label is nothing that anybody approved."""
    await offer.edit(offer.roles, "/metadata/labels", {"team": "payments"})


async def role_made_anew(offer: Offer) -> None:
    """With the same rules: it is another all the same."""
    await offer.remove(offer.roles)
    await offer.add(offer.roles, offer.role())


async def role_joined(offer: Offer) -> None:
    """A ClusterRole with the label that the aggregated one looks for, which is itself not touched by anybody."""
    await offer.add(offer.roles, offer.part(2))
    await offer.until_rules(2)


async def role_not_joined(offer: Offer) -> None:
    """A ClusterRole with the label of another."""
    await offer.add(offer.roles, offer.part(2, into="another"))


async def policy_edited(offer: Offer) -> None:
    """A longer time."""
    await offer.edit(offer.policies, "/spec/maxDuration", "8h")


async def policy_edited_and_put_back(offer: Offer) -> None:
    """In between, it may have let anything pass."""
    await offer.edit(offer.policies, "/spec/maxDuration", "8h")
    await offer.edit(offer.policies, "/spec/maxDuration", "4h")


async def policy_labelled(offer: Offer) -> None:
    """A label is no term."""
    await offer.edit(offer.policies, "/metadata/labels", {"team": "payments"})


async def policy_made_anew(offer: Offer) -> None:
    """With the same terms: nobody agreed to this one."""
    await offer.remove(offer.policies)
    await offer.add(offer.policies, offer.policy())


async def policy_made_anew_for_another_role(offer: Offer) -> None:
    """It offers more under the same name."""
    await offer.remove(offer.policies)
    await offer.add(offer.policies, offer.policy(role={"kind": "ClusterRole", "name": "edit"}))


async def policy_edited_to_what_it_is(offer: Offer) -> None:
    """As a GitOps tool does, for ever."""
    await offer.edit(offer.policies, "/spec/maxDuration", "4h")


@dataclass(frozen=True, slots=True)
class Case:
    """What is swapped, and in which words that is said; and a change that looks like it and changes no terms."""

    title: str
    attack: Callable[[Offer], Awaitable[None]]
    words: str
    twin: Callable[[Offer], Awaitable[None]]
    is_aggregated: bool = False

    def __str__(self) -> str:
        """Return the title, which names the test."""
        return self.title

    @property
    def name(self) -> str:
        """Return the name of the policy and of the role that are attacked."""
        return AGGREGATED[0] if self.is_aggregated else self.title.replace(" ", "-")

    @property
    def name_of_twin(self) -> str:
        """Return the name of those that are not."""
        return AGGREGATED[1] if self.is_aggregated else f"{self.name}-twin"


CASES: Final = (
    Case("role edited", role_edited, "the rules of Role {name} were changed", role_edited_and_put_back),
    Case("role deleted", role_deleted, "Role {name} was deleted", role_labelled),
    Case("role made anew", role_made_anew, "Role {name} was deleted and created again", role_labelled),
    Case(
        "role joined by another",
        role_joined,
        "the rules of ClusterRole {name} were changed",
        role_not_joined,
        is_aggregated=True,
    ),
    Case("policy edited", policy_edited, "AccessPolicy {name} was changed", policy_edited_to_what_it_is),
    Case("policy edited and put back", policy_edited_and_put_back, "AccessPolicy {name} was changed", policy_labelled),
    Case("policy made anew", policy_made_anew, "AccessPolicy {name} was deleted", policy_edited_to_what_it_is),
    Case(
        "policy made anew for another role",
        policy_made_anew_for_another_role,
        "AccessPolicy {name} was deleted",
        policy_labelled,
    ),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a request."""

    phase: str
    reason: str
    message: str
    was_bound: bool


@pytest.fixture(scope="module", params=drawn(["Curfew looks on", "Curfew is down meanwhile"], "swaps"))
def endings(
    request: pytest.FixtureRequest, cluster: Installed, certificates: Path, operator: OperatorProcess
) -> Mapping[str, Ending]:
    """Return what became of each request, by the name of what it asked for."""

    async def played() -> Mapping[str, Ending]:
        async with a_stage(cluster, certificates) as stage:
            for starts_in in STARTS_IN:
                down = None if "looks on" in request.param else operator
                endings = await play(await stage.place(), down, starts_in)
                if endings is not None:
                    return endings
            raise AssertionError("the swaps took so long that they came after the grants")

    return asyncio.run(played())


async def play(place: Place, down: OperatorProcess | None, starts_in: timedelta) -> Mapping[str, Ending] | None:
    """Ask for everything, agree to everything, swap everything, and see. None: the swaps came too late."""
    swaps = [(Offer(place, case.name), case.attack) for case in CASES]
    swaps += [(Offer(place, case.name_of_twin), case.twin) for case in CASES]
    offers = [offer for offer, _ in swaps]
    roles = [offer.name for offer in offers if not offer.is_aggregated]
    await asyncio.to_thread(place.cluster.opt_in, place.namespace, roles)
    try:
        await asyncio.gather(*(offer.make() for offer in offers))
        start = (now() + starts_in).replace(microsecond=0)
        asked = await asyncio.gather(*(approved(place, offer.name, format_time(start)) for offer in offers))
        with ExitStack() as stack:
            if down is not None:
                stack.enter_context(dead(down))
            await asyncio.gather(*(swap(offer) for offer, swap in swaps))
            if now() >= start - 2 * FRESH:  # a role that was read just before is not read again
                return None
        seconds = starts_in.total_seconds() + SOON
        await asyncio.gather(*(one.phase("Active", *FINAL, seconds=seconds) for one in asked))
        # Before the roles go, which ends what was granted.
        return {offer.name: ending(one) for offer, one in zip(offers, asked, strict=True)}
    finally:
        await asyncio.gather(*(offer.clear() for offer in offers))


async def approved(place: Place, policy: str, start: str) -> Asked:
    """Have a request that waits for its start."""
    asked = await place.pending(place.people.alice, policy, notBefore=start)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Approved", "Active")
    return asked


def ending(asked: Asked) -> Ending:
    """Return what became of a request."""
    was_bound = asked.place.sights.bindings_of(asked.uid) != []
    return Ending(
        asked.status["phase"], asked.status.get("endReason", ""), asked.condition("Active")["message"], was_bound
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_was_swapped_is_not_granted(endings: Mapping[str, Ending], case: Case) -> None:
    """It fails with the difference in words, and was never bound."""
    ended = endings[case.name]

    assert (ended.phase, ended.was_bound) == ("Failed", False)
    assert ended.reason in ("TermsChanged", "PolicyDeleted")
    assert case.words.format(name=case.name) in ended.message


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_keeps_its_terms_is_granted(endings: Mapping[str, Ending], case: Case) -> None:
    """However much was done to it otherwise."""
    ended = endings[case.name_of_twin]

    assert (ended.phase, ended.was_bound) == ("Active", True)


def _rbac(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}}


def _on_pods(*verbs: str) -> Body:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}
