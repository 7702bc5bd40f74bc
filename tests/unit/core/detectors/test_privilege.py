"""Which roles are privileged."""

from typing import Any

import pytest

from curfew.audit.carried import make_part
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.detectors.privilege import Privilege
from tests.support.builders import NOON
from tests.support.stories import a_story, told

STORY = a_story(1)


def offered(**spec: Any) -> Record:
    detail = {"namespace": "payments", "policy": "debug", "spec": spec}
    return make_record("policy.created", at=NOON, actor=CURFEW, message="m", subject="p", detail=detail)


def announced(*rules: dict[str, list[str]]) -> Record:
    return told("grant.intended", NOON, STORY, rules=list(rules))


BINDS = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"]}
READS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("records", "is_privileged"),
    [
        pytest.param([], False, id="nothing is known"),
        pytest.param([announced(READS)], False, id="it only reads"),
        pytest.param([announced(READS, BINDS)], True, id="it can make lasting access"),
        pytest.param([offered(allowPermanence=True)], True, id="its policy says so"),
        pytest.param([offered(allowPermanence=True), offered()], False, id="its policy does not say so any more"),
        pytest.param([offered(allowPermanence=True), announced(READS)], False, id="its rules show that it is not"),
    ],
)
def test_what_makes_a_role_privileged(records: list[Record], is_privileged: bool) -> None:
    privilege = Privilege()
    for record in records:
        privilege.learn(record)
    assert privilege.is_privileged(STORY) is is_privileged


def test_a_role_that_is_named() -> None:
    assert Privilege(["ClusterRole/debug"]).is_privileged(STORY)
    named = Privilege(["ClusterRole/x"])
    named.learn(offered(roleRef={"kind": "ClusterRole", "name": "x"}))
    assert named.is_offered("payments", "debug")


def test_policies_that_the_log_carries_forward() -> None:
    privilege = Privilege()
    policies = (offered(allowPermanence=True),)
    privilege.learn(
        make_part("m", set_="s", number=0, is_last=True, began=NOON, since=NOON, at=NOON, stories=(), policies=policies)
    )
    assert privilege.is_privileged(STORY)
