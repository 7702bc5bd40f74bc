"""Which roles are governed follows from the trail: those that policies offer now."""

import pytest

from curfew.audit.carried import cut, make_part
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.activity.noticing import governed as module
from curfew.core.activity.noticing.governed import Governed
from tests.support.builders import NOON
from tests.support.noticing import offered


def learnt(*records: Record) -> Governed:
    """Return what is governed after these records."""
    governed = Governed()
    for record in records:
        governed.learn(record)
    return governed


def here(governed: Governed, role: str = "payments-debug") -> bool:
    return governed.includes("RoleBinding", "payments", "ClusterRole", role)


def everywhere(governed: Governed, role: str = "payments-debug") -> bool:
    return governed.includes("ClusterRoleBinding", "", "ClusterRole", role)


def test_a_policy_governs_its_role_until_it_offers_another_or_is_gone() -> None:
    changed = offered("view", event="policy.updated")

    assert here(learnt(offered()))
    assert everywhere(learnt(offered()))
    assert not here(learnt(offered(), changed))
    assert here(learnt(offered(), changed), "view")
    assert not here(learnt(offered(), changed, offered("view", event="policy.deleted")), "view")
    assert here(learnt(offered(), offered(event="policy.weakened")))


QUOTED = r'RBAC: allowed by RoleBinding "a\" of ClusterRole \"view\" to/payments" of ClusterRole "payments-debug" to User "e"'
"""The reason that names a binding which is named like a reason."""


@pytest.mark.parametrize(
    ("reason", "may_be"),
    [
        ('RBAC: allowed by RoleBinding "a/payments" of ClusterRole "payments-debug" to User "eve"', True),
        ('RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "payments-debug" to Group "g"', True),
        ('RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "view" to User "payments-debug"', False),
        ('RBAC: allowed by RoleBinding "a/payments" of Role "payments-debug" to User "eve"', False),
        (QUOTED, True),
        ("", False),
        ("AlwaysAllow", False),
    ],
)  # fmt: skip
def test_a_quick_look_at_a_reason_overlooks_no_governed_role(reason: str, may_be: bool) -> None:
    assert learnt(offered()).may_be_in(reason) is may_be
    assert not learnt().may_be_in(reason)


def test_two_policies_may_offer_one_role() -> None:
    both = offered(), offered(policy="other")

    assert here(learnt(*both, offered(event="policy.deleted")))
    gone = learnt(*both, offered(event="policy.deleted"), offered(policy="other", event="policy.deleted"))
    assert not here(gone)
    assert not everywhere(gone)
    assert len(gone) == 0


def test_a_role_of_a_namespace_is_bound_there_alone() -> None:
    governed = learnt(offered("support", kind="Role"))

    assert governed.includes("RoleBinding", "payments", "Role", "support")
    assert not governed.includes("RoleBinding", "default", "Role", "support")
    assert not governed.includes("ClusterRoleBinding", "", "Role", "support")


def test_what_the_log_carries_forward_is_known() -> None:
    part = make_part(
        "main",
        set_="a",
        number=0,
        is_last=True,
        began=NOON,
        since=NOON,
        at=NOON,
        stories=(),
        policies=(cut(offered()),),
    )

    assert here(learnt(part))


def test_only_another_offer_is_a_change() -> None:
    governed = learnt(offered(), offered(event="policy.updated", maxDuration="8h"))

    assert governed.changes == 1
    governed.learn(offered(event="policy.deleted"))
    assert governed.changes == 2


@pytest.mark.parametrize(
    "detail",
    [
        {}, {"namespace": "", "policy": "x"}, {"namespace": "payments", "policy": "x", "spec": "x"},
        {"namespace": "payments", "policy": "x", "spec": {"roleRef": "x"}},
        {"namespace": "payments", "policy": "x", "spec": {"roleRef": {"kind": 7, "name": []}}},
    ],
)  # fmt: skip
def test_what_cannot_be_read_teaches_nothing(detail: dict[str, object]) -> None:
    record = make_record("policy.created", at=NOON, actor=CURFEW, message="x", subject="uid", detail=detail)
    carried = make_record("audit.stories_open", at=NOON, actor=CURFEW, message="x", subject="main", detail=detail)

    assert len(learnt(record, carried)) == 0


def test_how_many_are_known_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POLICIES", 3)

    assert len(learnt(*(offered(policy=f"p-{number}") for number in range(5)))) == 3
