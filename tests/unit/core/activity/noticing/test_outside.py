"""Which bindings are outside: those that give a role that a policy offers there, to somebody whom nothing allows it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.api.names import binding_name
from curfew.audit.record import Record
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.noticing.allowance import Allowance
from curfew.core.activity.noticing.binding import MOST_SHOWN, BindingKey, SeenBinding
from curfew.core.activity.noticing.outside import MOST_OUTSIDE, written_binding
from curfew.core.activity.noticing.records import FoundBy
from curfew.core.activity.unannounced import PATIENCE
from tests.support.activity import END, UID, a_call, announced, ended
from tests.support.builders import ALICE, BOB, NOON
from tests.support.noticing import ROLE, ANoticing, a_binding, detail, events, offered

AT = NOON + timedelta(minutes=10)
GRANT = binding_name(UID)


def saw(noticing: ANoticing, seen: SeenBinding, call: Call | None = None) -> list[Record]:
    """Show a binding, and return what is new in the log."""
    how = FoundBy.FEED if call is not None else FoundBy.LIST
    return noticing.write(*noticing.noticing.outside.saw(seen, call, how, noticing.now))


def missed(noticing: ANoticing, seen: SeenBinding, call: Call | None = None) -> list[Record]:
    """Show that a binding is gone, and return what is new in the log."""
    return noticing.write(*noticing.noticing.outside.missed(seen.key, call, noticing.now))


def wrote(verb: str = "create", **changes: object) -> Call:
    """Return bob's call that writes the binding."""
    return a_call(verb, "rolebindings.rbac.authorization.k8s.io/quick", user=BOB, **changes)


def test_a_binding_to_an_offered_role_is_found() -> None:
    (record,) = saw(ANoticing(offered()), a_binding(), wrote())

    assert detail(record) == {
        "kind": "RoleBinding",
        "namespace": "payments",
        "name": "quick",
        "uid": "uid-1",
        "role": "ClusterRole/payments-debug",
        "subjects": ["User mallory@example.com"],
        "made_at": "2026-11-23T12:00:00Z",
        "how": "Feed",
        "credential": "X509SHA256=05fb",
    }
    assert (record.event, record.subject, record.block["actor"], record.at) == (
        "binding.found_outside",
        "uid-1",
        BOB,
        AT,
    )
    assert record.message == (
        "RoleBinding quick in payments gives ClusterRole/payments-debug to User mallory@example.com, and is no grant; "
        "bob@example.com wrote it"
    )


def test_what_a_list_shows_has_no_author() -> None:
    (record,) = saw(ANoticing(offered()), a_binding())

    assert (detail(record)["how"], record.block["actor"]) == ("List", "system:curfew")


@pytest.mark.parametrize(
    ("policy", "seen", "is_outside"),
    [
        pytest.param(offered(), a_binding(), True, id="where it is offered"),
        pytest.param(offered(), a_binding(namespace="default"), False, id="in another namespace"),
        pytest.param(offered(), a_binding(kind="ClusterRoleBinding"), True, id="everywhere"),
        pytest.param(offered(), a_binding(role="view"), False, id="another role"),
        pytest.param(offered(), a_binding(role_kind="Role"), False, id="a Role of that name"),
        pytest.param(offered(kind="Role"), a_binding(role_kind="Role"), True, id="a Role"),
        pytest.param(
            offered(kind="Role"), a_binding(role_kind="Role", namespace="default"), False, id="a Role of elsewhere"
        ),
        pytest.param(offered("view"), a_binding(role="view"), True, id="a role that is known to all"),
        pytest.param(offered(), a_binding("quick", "Group team"), True, id="to a group"),
        pytest.param(offered(), a_binding("quick", "ServiceAccount payments/x"), True, id="to a workload"),
        pytest.param(
            offered(), a_binding("quick", "Group system:masters"), False, id="to the cluster's administrators"
        ),
        pytest.param(offered(), a_binding("quick", "User system:kube-scheduler"), False, id="to a part of Kubernetes"),
        pytest.param(offered(), a_binding("quick", "User system:mallory"), True, id="to a name like Kubernetes' own"),
        pytest.param(
            offered(), a_binding("quick", "Group system:backdoor"), True, id="to a group like Kubernetes' own"
        ),
        pytest.param(offered(), a_binding("quick", "Group system:authenticated"), True, id="to everybody"),
        pytest.param(offered(), a_binding("quick", "Group system:serviceaccounts:x"), True, id="to workloads"),
        pytest.param(offered(), a_binding("quick", "User system:serviceaccount:x:y"), True, id="to a workload as user"),
        pytest.param(offered(), a_binding("quick", "Group system:masters", ALICE), True, id="to one beside them"),
        pytest.param(offered(), replace(a_binding(), subjects=()), False, id="to nobody"),
        pytest.param(offered(), a_binding("curfew-granter", "User mallory"), True, id="under a name like ours"),
    ],
)
def test_what_is_outside(policy: Record, seen: SeenBinding, is_outside: bool) -> None:
    assert bool(saw(ANoticing(policy), seen)) is is_outside


def test_nothing_is_governed_without_a_policy() -> None:
    assert saw(ANoticing(), a_binding()) == []


@pytest.mark.parametrize(
    ("allowed", "is_outside"),
    [
        (Allowance(binding="RoleBinding/payments/quick"), False),
        (Allowance(binding="RoleBinding/default/quick"), True),
        (Allowance(namespace="payments"), False),
        (Allowance(role="ClusterRole/payments-debug"), False),
        (Allowance(role="ClusterRole/view"), True),
        (Allowance(subject="User mallory@example.com"), False),
        (Allowance(subject="Group mallory@example.com"), True),
        (Allowance(role="ClusterRole/payments-debug", subject="User bob"), True),
    ],
    ids=str,
)
def test_what_is_allowed_is_not_outside(allowed: Allowance, is_outside: bool) -> None:
    assert bool(saw(ANoticing(offered(), allowed=(allowed,)), a_binding())) is is_outside


def test_only_those_who_are_not_allowed_are_named() -> None:
    noticing = ANoticing(offered(), allowed=(Allowance(subject="Group team"),))

    (record,) = saw(noticing, a_binding("quick", "Group team", "User mallory", "Group system:masters"))

    assert detail(record)["subjects"] == ["User mallory"]


def test_many_subjects_are_counted() -> None:
    (record,) = saw(ANoticing(offered()), a_binding("quick", *(f"User u-{n}" for n in range(MOST_SHOWN + 5)), more=7))

    assert (len(detail(record)["subjects"]), detail(record)["more_subjects"]) == (MOST_SHOWN, 12)
    assert "to User u-0 and others" in record.message


# --- grants -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "is_outside"),
    [
        pytest.param(a_binding(GRANT, f"User {ALICE}"), False, id="itself"),
        pytest.param(a_binding(GRANT, f"User {BOB}"), True, id="for another person"),
        pytest.param(a_binding(GRANT, f"User {ALICE}", f"User {BOB}"), True, id="for one more"),
        pytest.param(a_binding(GRANT, f"User {ALICE}", role="view"), True, id="of another role that is offered"),
    ],
)
def test_a_grant_is_not_outside(seen: SeenBinding, is_outside: bool) -> None:
    noticing = ANoticing(offered(), offered("view", policy="viewing"), announced())

    assert bool(saw(noticing, seen)) is is_outside


def test_a_binding_that_is_made_again_after_its_grant_is_outside() -> None:
    noticing = ANoticing(offered(), announced(), ended())
    before = a_binding(GRANT, f"User {ALICE}", made_at=END - timedelta(minutes=9))
    after = a_binding(GRANT, f"User {ALICE}", made_at=END + timedelta(seconds=9))

    assert noticing.noticing.outside.is_worth_a_look(after.key)
    assert saw(noticing, before) == []
    assert events(saw(noticing, after)) == ["binding.found_outside"]


def test_a_grant_whose_record_is_late_is_waited_for() -> None:
    noticing = ANoticing(offered())
    noticing.now = NOON + PATIENCE - timedelta(seconds=1)

    assert saw(noticing, a_binding(GRANT, f"User {ALICE}")) == []
    noticing.now = NOON + PATIENCE
    assert events(saw(noticing, a_binding(GRANT, f"User {ALICE}"))) == ["binding.found_outside"]


def test_a_binding_that_says_to_be_from_the_future_is_not_waited_for() -> None:
    noticing = ANoticing(offered())

    seen = a_binding(GRANT, f"User {ALICE}", made_at=noticing.now + timedelta(days=1))

    assert events(saw(noticing, seen)) == ["binding.found_outside"]


def test_bindings_of_grants_are_not_read() -> None:
    outside = ANoticing(offered(), announced()).noticing.outside

    assert not outside.is_worth_a_look(BindingKey("RoleBinding", "payments", GRANT))
    assert outside.is_worth_a_look(BindingKey("RoleBinding", "default", GRANT))
    assert outside.is_worth_a_look(a_binding().key)


# --- what becomes of it -----------------------------------------------------------------------------------------------


def test_it_is_found_once() -> None:
    noticing = ANoticing(offered())

    assert len(saw(noticing, a_binding())) == 1
    assert saw(noticing, a_binding(), wrote("patch")) == []
    noticing.restart()
    assert saw(noticing, a_binding()) == []


def test_it_is_gone_once() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())

    (record,) = missed(noticing, a_binding(), wrote("delete"))

    assert (record.event, detail(record)["why"], record.block["actor"]) == ("binding.gone_outside", "Deleted", BOB)
    assert record.subject == "uid-1"
    assert missed(noticing, a_binding()) == []
    noticing.restart()
    assert missed(noticing, a_binding()) == []


def test_one_of_its_name_is_another_one() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())

    gone, found = saw(noticing, a_binding(uid="uid-2"), wrote())

    assert (detail(gone)["why"], detail(gone)["uid"], detail(found)["uid"]) == ("Deleted", "uid-1", "uid-2")


def test_other_subjects_make_it_another_finding() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())

    gone, found = saw(noticing, a_binding("quick", "User eve"), wrote("patch"))

    assert (detail(gone)["why"], detail(found)["subjects"]) == ("Changed", ["User eve"])


def test_a_role_that_is_not_offered_any_more_is_not_governed() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())
    noticing.learn(offered(event="policy.deleted"))

    (gone,) = saw(noticing, a_binding())

    assert detail(gone)["why"] == "NotGoverned"


def test_what_is_allowed_now_is_gone() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())
    noticing.restart(allowed=(Allowance(subject="User mallory@example.com"),))

    (gone,) = saw(noticing, a_binding())

    assert detail(gone)["why"] == "Allowed"


def test_what_is_missing_in_a_list_is_gone_unless_it_was_written_meanwhile() -> None:
    noticing = ANoticing(offered())
    saw(noticing, a_binding())
    outside = noticing.noticing.outside
    before = outside.known
    saw(noticing, a_binding(uid="uid-2"))

    assert list(outside.not_listed(before, noticing.now)) == []
    (gone,) = outside.not_listed(outside.known, noticing.now)
    assert detail(gone)["why"] == "Deleted"


def test_how_many_are_known_has_a_bound() -> None:
    noticing = ANoticing(offered())
    for number in range(MOST_OUTSIDE + 3):
        saw(noticing, a_binding(f"b-{number}", uid=f"uid-{number}"))

    assert len(noticing.log) == len(noticing.noticing.outside.known) == MOST_OUTSIDE
    assert noticing.noticing.outside.left_out == 3


# --- the feed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        pytest.param(wrote(), "quick", id="create"),
        pytest.param(wrote("patch"), "quick", id="patch"),
        pytest.param(wrote("delete", code=200), "quick", id="delete"),
        pytest.param(wrote(name=""), "", id="a name that the API server makes up"),
        pytest.param(wrote("deletecollection", name=""), "", id="many"),
        pytest.param(wrote(code=504), "quick", id="perhaps"),
        pytest.param(wrote(code=403), None, id="refused"),
        pytest.param(wrote(dry_run=True), None, id="dry run"),
        pytest.param(wrote("get"), None, id="read"),
        pytest.param(wrote("watch"), None, id="watched"),
        pytest.param(wrote(group=""), None, id="of another group"),
        pytest.param(wrote(stage=CallStage.RESPONSE_STARTED), None, id="begun"),
        pytest.param(a_call("create", "roles.rbac.authorization.k8s.io/quick"), None, id="a role"),
    ],
)
def test_which_calls_write_bindings(call: Call, name: str | None) -> None:
    key = written_binding(call)

    assert (key.name if key is not None else None) == name


# --- use --------------------------------------------------------------------------------------------------------------


def used(binding: str = "quick/payments", *, kind: str = "RoleBinding", role: str = ROLE, **changes: object) -> Call:
    """Return a call of mallory's that a binding allowed."""
    reason = f'RBAC: allowed by {kind} "{binding}" of ClusterRole "{role}" to User "mallory"'
    return a_call("get", "secrets/db", user="mallory", reason=reason, **changes)


def test_the_use_of_a_binding_outside_is_recorded_once_an_hour() -> None:
    noticing = ANoticing(offered())

    (record,) = noticing.arrives(used(), used(), used("quick/payments", at=AT + timedelta(minutes=40)))

    assert detail(record) == {
        "role": "ClusterRole/payments-debug",
        "kind": "RoleBinding",
        "namespace": "payments",
        "name": "quick",
        "subjects": ["User mallory"],
        "verb": "get",
        "resource": "secrets",
        "target": "payments",
        "credential": "X509SHA256=05fb",
    }
    assert (record.event, record.block["actor"]) == ("role.used_outside", "mallory")
    assert len(noticing.arrives(used(at=AT + timedelta(hours=1)))) == 1
    noticing.restart()
    assert noticing.arrives(used()) == []


@pytest.mark.parametrize(
    ("call", "is_use"),
    [
        pytest.param(used(), True, id="outside"),
        pytest.param(used("admins", kind="ClusterRoleBinding"), True, id="everywhere"),
        pytest.param(used("quick/default"), False, id="in another namespace"),
        pytest.param(used(role="view"), False, id="another role"),
        pytest.param(used(decision="forbid"), False, id="refused"),
        pytest.param(used(f"{GRANT}/payments"), False, id="named like a grant's"),
        pytest.param(a_call("get", user="mallory", reason="AlwaysAllow"), False, id="allowed by something else"),
        pytest.param(a_call("get", user="mallory", reason=None), False, id="without a reason"),
        pytest.param(
            a_call(
                "get",
                reason='RBAC: allowed by ClusterRoleBinding "m" of ClusterRole "payments-debug" to Group "system:masters"',
            ),
            False,
            id="by the cluster's administrators",
        ),
    ],
)
def test_what_is_a_use(call: Call, is_use: bool) -> None:
    assert bool(events(ANoticing(offered()).arrives(call))) is is_use
