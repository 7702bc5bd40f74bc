"""What was used of a role: what the API server says that the binding allowed, and nothing else."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.core.activity.call import CallStage
from curfew.core.activity.effect import How
from curfew.core.activity.session import Session
from curfew.core.activity.usage import Needed, Usage, has_names
from tests.support.watching import RULES, Watch, a_call, refused, the_session, the_watch, with_rules
from tests.vectors.make_vectors import BEGUN, the_story

AT = BEGUN + timedelta(seconds=5)


def used(watch: Watch, *, names: bool = True) -> Usage:
    """Return what is known of the calls that a watch has recorded."""
    usage = Usage(has_names=names)
    for record in watch.records:
        usage.take(the_session(watch), record)
    return usage


@pytest.fixture
def watch() -> Watch:
    """Return a watch over one grant."""
    return the_watch()


@pytest.fixture
def session(watch: Watch) -> Session:
    """Return its session."""
    return the_session(watch)


def test_what_the_binding_allowed_was_used_also_if_it_failed_or_was_tried(watch: Watch, session: Session) -> None:
    call = a_call(session, "get", "pods", AT, name="a")
    watch.see(call, replace(call, code=404, audit_id="b", received_at=AT + timedelta(seconds=1)))

    (found,) = used(watch).used.items()

    assert found[0] == Needed("get", "", "pods", "", "a")
    assert (found[1].count, found[1].last) == (2, AT + timedelta(seconds=1))


def test_names_are_told_apart_only_if_the_role_restricts_names(watch: Watch, session: Session) -> None:
    watch.see(*(a_call(session, "get", "pods", AT + timedelta(seconds=n), name=f"p{n}") for n in range(3)))

    assert len(used(watch).used) == 3
    assert list(used(watch, names=False).used) == [Needed("get", "", "pods")]
    assert has_names(session)
    assert not has_names(replace(session, rules=session.rules[:1]))


def test_the_name_of_what_is_created_is_not_seen_by_rbac(watch: Watch, session: Session) -> None:
    watch.see(a_call(session, "create", "pods", AT, name="a"), a_call(session, "create", "pods/exec", AT, name="a"))

    assert list(used(watch).used) == [Needed("create", "", "pods"), Needed("create", "", "pods", "exec", "a")]


def test_a_refused_call_used_nothing(watch: Watch, session: Session) -> None:
    watch.see(refused(a_call(session, "delete", "nodes", AT, name="a")))

    assert used(watch).used == {}
    assert list(used(watch).refused) == [Needed("delete", "", "nodes", "", "a")]


def test_a_call_that_other_access_allowed_used_nothing(watch: Watch, session: Session) -> None:
    standing = 'RBAC: allowed by ClusterRoleBinding "admins" of ClusterRole "admin" to User "alice@example.com"'
    watch.see(a_call(session, "list", "pods", AT, reason=standing))

    assert used(watch).used == {}
    assert used(watch).standing == 1


def test_a_stream_counts_once_and_also_if_its_end_is_never_seen(watch: Watch, session: Session) -> None:
    began = a_call(session, "watch", "pods", AT, stage=CallStage.RESPONSE_STARTED)
    watch.see(began)
    assert [uses.count for uses in used(watch).used.values()] == [0]

    watch.see(replace(began, stage=CallStage.RESPONSE_COMPLETE, at=AT + timedelta(seconds=9)))
    assert [uses.count for uses in used(watch).used.values()] == [1]


def test_acting_as_a_service_account_needs_the_right_to_do_so() -> None:
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}
    watch = Watch([with_rules(record, [*RULES, rule]) for record in the_story()])
    session = the_session(watch)
    as_account = f"system:serviceaccount:{session.namespace}:ci"
    reason = 'RBAC: allowed by RoleBinding "ci/payments" of Role "ci" to ServiceAccount "ci/payments"'
    watch.see(a_call(session, "list", "pods", AT, impersonated=as_account, reason=reason))

    assert [record.block["detail"]["how"] for record in watch.records] == [How.IMPERSONATION]
    assert list(used(watch).used) == [Needed("impersonate", "", "serviceaccounts", "", "ci")]
