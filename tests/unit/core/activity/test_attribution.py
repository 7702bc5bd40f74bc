"""Which grant a call belongs to."""

from datetime import timedelta

import pytest

from curfew.core.activity.attribution import SEEN_EARLY, SEEN_LATE, STILL_SEEN, Attributed, CallAlert
from curfew.core.activity.call import Caller, CallStage
from curfew.core.activity.effect import How
from curfew.core.activity.unannounced import MOST_CALLS
from tests.support.activity import (
    END,
    OTHER_UID,
    STANDING,
    UID,
    AMonitor,
    a_call,
    announced,
    ended,
    reason,
    refused,
)
from tests.support.builders import ALICE, BOB, NOON

MOMENT = timedelta(milliseconds=1)

DEPLOYER = "system:serviceaccount:payments:deployer"
IMPERSONATES = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]


def hows(monitor: AMonitor, *calls: object) -> list[tuple[str, How]]:
    """Return, for each tie of these calls, the session and how it is tied."""
    found = monitor.arrives(*calls)  # type: ignore[arg-type]
    return [(one.session.uid, one.how) for one in found if isinstance(one, Attributed)]


def alerts(monitor: AMonitor, *calls: object) -> list[str]:
    """Return the alerts that these calls lead to."""
    return [one.record.event for one in monitor.arrives(*calls) if isinstance(one, CallAlert)]  # type: ignore[arg-type]


def test_a_call_belongs_to_the_grant_whose_binding_the_api_server_names() -> None:
    assert hows(AMonitor(), a_call()) == [(UID, How.BINDING)]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(a_call(user=BOB, reason=reason(user=BOB)), id="another person"),
        pytest.param(a_call(user=BOB), id="a reason that names somebody other than the caller"),
        pytest.param(a_call(reason=reason(namespace="default")), id="a binding in another namespace"),
        pytest.param(a_call(reason=reason(role="admin")), id="a binding of another role"),
        pytest.param(a_call(reason=reason().replace("User", "Group")), id="a binding for a group of that name"),
        pytest.param(a_call(at=NOON - SEEN_EARLY - MOMENT), id="long before the announcement"),
        pytest.param(a_call(at=END + STILL_SEEN + MOMENT), id="long after the end"),
    ],
)
def test_a_binding_that_only_bears_the_name_does_not_count_and_is_alarmed(call: object) -> None:
    monitor = AMonitor()

    assert How.BINDING not in [how for _, how in hows(monitor, call)]
    assert alerts(monitor, call) == ["alert.binding_name_reused"]


def test_a_cluster_role_binding_of_that_name_is_none_of_ours() -> None:
    forged = reason().replace("RoleBinding", "ClusterRoleBinding").replace("/payments", "")

    assert hows(AMonitor(), a_call(reason=forged)) == [(UID, How.STANDING)]


@pytest.mark.parametrize(
    "call",
    [
        a_call(
            user='x" of ClusterRole "admin',
            reason='RBAC: allowed by RoleBinding "b/payments" of ClusterRole "view" to User "x"',
        ),
        a_call(user=BOB, reason=f"{reason()} and more"),
        a_call(user=BOB, reason=f"access granted to {reason()}"),
        a_call(user=BOB, reason=reason(binding='curfew-" of ClusterRole "admin')),
        a_call(user=BOB, reason='RBAC: allowed by RoleBinding "curfew-'),
        a_call(user="", reason=None, decision=None, code=401),
    ],
)
def test_a_forged_reason_makes_a_call_nobodys(call: object) -> None:
    assert AMonitor().arrives(call) == []  # type: ignore[arg-type]


def test_the_clocks_of_api_servers_may_differ_a_little_at_the_beginning() -> None:
    assert hows(AMonitor(), a_call(at=NOON - timedelta(seconds=4))) == [(UID, How.BINDING)]


def test_what_an_api_server_with_a_late_clock_answers_is_still_a_call_under_the_grant() -> None:
    """The operator compares its clock with one API server's. Another one may be minutes behind."""
    monitor = AMonitor()

    assert hows(monitor, a_call("delete", "pods/web-0", at=NOON - SEEN_EARLY)) == [(UID, How.BINDING)]
    assert monitor.verdict().changes == "Yes"


def test_use_after_the_end_belongs_to_the_grant_and_is_alarmed() -> None:
    monitor = AMonitor()

    late = a_call(at=END + timedelta(seconds=30))

    assert hows(monitor, late) == [(UID, How.BINDING)]
    assert alerts(monitor, late) == ["alert.used_after_end"]
    record = next(record for record in monitor.log.values() if record.event == "alert.used_after_end")
    assert record.block["detail"]["late_ms"] == 30_000
    assert monitor.tally().reads == 1


def test_an_api_server_that_sees_the_end_a_moment_later_is_no_alarm() -> None:
    assert alerts(AMonitor(), a_call(at=END + SEEN_LATE)) == []


def test_while_no_end_is_recorded_the_binding_counts_however_late_it_is() -> None:
    monitor = AMonitor(trail=[announced()])

    late = a_call(at=END + timedelta(minutes=20))

    assert hows(monitor, late) == [(UID, How.BINDING)]
    assert alerts(monitor, late) == ["alert.used_after_end"]


def test_an_alarm_about_the_same_thing_is_raised_once_a_day() -> None:
    monitor = AMonitor(trail=[announced()])

    monitor.arrives(*(a_call(at=END + timedelta(hours=hours)) for hours in (1, 2, 3, 13)))  # the end is at 13:00

    assert monitor.events().count("alert.used_after_end") == 2


def test_a_refused_call_belongs_to_each_grant_of_that_person_in_that_namespace_that_is_open() -> None:
    monitor = AMonitor(
        trail=[
            announced(),
            ended(),
            announced(OTHER_UID),
            ended(OTHER_UID),
            announced("elsewhere", namespace="default"),
            announced("over", at=NOON - timedelta(hours=3)),
            announced("bobs", requester=BOB),
        ]
    )

    assert hows(monitor, refused()) == [(UID, How.PERSON), (OTHER_UID, How.PERSON)]
    assert hows(monitor, refused(namespace="")) == []


def test_a_refused_impersonation_looks_like_a_refused_call_of_the_caller() -> None:
    """The API server leaves out the annotations then."""
    assert hows(AMonitor(), refused(decision=None, reason=None)) == [(UID, How.PERSON)]


def test_a_call_that_admission_refused_belongs_to_the_binding_that_had_allowed_it() -> None:
    monitor = AMonitor()

    assert hows(monitor, a_call("create", "pods/root", code=403)) == [(UID, How.BINDING)]
    assert monitor.tally().denied == 1


def test_asking_for_access_is_no_use_of_it() -> None:
    """The request may be granted before the call that made it has an audit event."""
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    monitor = AMonitor(trail=[announced(rules=everything)])
    asked = a_call("create", "accessrequests.curfew.dev/inc-4711", reason=STANDING)
    assert hows(monitor, a_call("create", "pods/web-1", reason=STANDING)) == [(UID, How.STANDING)]
    assert hows(monitor, asked) == []


def test_what_other_access_allowed_is_a_candidate_if_the_grant_would_have_allowed_it_too() -> None:
    monitor = AMonitor()

    assert hows(monitor, a_call("delete", "pods/web-0", reason=STANDING)) == [(UID, How.STANDING)]
    assert hows(monitor, a_call("get", "roles.rbac.authorization.k8s.io/all", reason=STANDING)) == []
    assert hows(monitor, a_call(namespace="default", reason=STANDING)) == []
    assert hows(monitor, a_call(at=END + timedelta(minutes=1), reason=STANDING)) == []
    assert monitor.tally().writes == 0
    assert monitor.tally().standing == 1


def test_of_two_grants_the_one_that_is_named_has_the_call_and_the_other_is_a_candidate() -> None:
    monitor = AMonitor(trail=[announced(), announced(OTHER_UID)])

    assert hows(monitor, a_call("delete", "pods/web-0", reason=reason(OTHER_UID))) == [
        (OTHER_UID, How.BINDING),
        (UID, How.STANDING),
    ]
    assert (monitor.tally(OTHER_UID).writes, monitor.tally().writes) == (1, 0)


@pytest.mark.parametrize("why", [None, "", 'RBAC: allowed by RoleBinding "curfew-6f1e8c1e-7d6b…'])
def test_a_feed_that_leaves_out_the_reason_cannot_show_that_it_was_other_access(why: str | None) -> None:
    monitor = AMonitor()

    assert hows(monitor, a_call("delete", "pods/web-0", reason=why, decision=None if why is None else "allow")) == [
        (UID, How.UNEXPLAINED)
    ]
    assert monitor.tally().unsure == 1


def test_an_impersonated_call_keeps_both_people() -> None:
    """Mallory may act as alice: RBAC was asked about alice, and it was mallory who called."""
    monitor = AMonitor()

    monitor.arrives(a_call("delete", "pods/web-0", user="mallory@example.com", impersonated=ALICE))

    (record,) = monitor.log.values()
    assert (record.block["actor"], record.block["detail"]["user"]) == ("mallory@example.com", ALICE)
    assert record.message.startswith(f"mallory@example.com as {ALICE} deleted pods/web-0")


def test_acting_as_a_service_account_that_the_grant_lets_its_person_act_as_belongs_to_the_grant() -> None:
    rules = [
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"], "resourceNames": ["deployer"]}
    ]
    monitor = AMonitor(trail=[announced(rules=rules), ended()])

    def acting_as(account: str, **changes: object) -> object:
        return a_call(
            "delete", "pods/web-0", impersonated=f"system:serviceaccount:{account}", reason="of its own", **changes
        )

    assert hows(monitor, acting_as("payments:deployer")) == [(UID, How.IMPERSONATION)]
    assert hows(monitor, acting_as("payments:builder")) == []
    assert hows(monitor, acting_as("default:deployer")) == []
    assert hows(monitor, acting_as("payments:deployer", at=END + timedelta(minutes=1))) == []
    assert hows(monitor, acting_as("payments:deployer", user=BOB)) == []
    assert monitor.verdict().sensitive == ("Impersonation",)
    assert monitor.verdict().changes == "Yes"


@pytest.mark.parametrize("late", [timedelta(minutes=20), timedelta(hours=5)])
def test_while_no_end_is_recorded_acting_as_a_service_account_belongs_to_the_grant_too(late: timedelta) -> None:
    """Nobody ends access while the operator is away, so it is held beyond its promised end."""
    monitor = AMonitor(trail=[announced(rules=IMPERSONATES)])
    acting = a_call("delete", "pods/web-0", at=END + late, impersonated=DEPLOYER, reason="of its own")

    assert hows(monitor, acting) == [(UID, How.IMPERSONATION)]
    assert monitor.verdict(now=END + late).changes == "Yes"


def test_while_no_end_is_recorded_what_no_reason_explains_may_be_of_the_grant() -> None:
    late = a_call("delete", "pods/web-0", at=END + timedelta(hours=5), reason=None)

    assert hows(AMonitor(trail=[announced()]), late) == [(UID, How.UNEXPLAINED)]


def test_an_api_server_with_an_early_clock_ends_no_impersonation_before_the_grant_ends() -> None:
    monitor = AMonitor(trail=[announced(rules=IMPERSONATES), ended()])
    acting = a_call("delete", "pods/web-0", at=END + timedelta(seconds=4), impersonated=DEPLOYER, reason="of its own")

    assert hows(monitor, acting) == [(UID, How.IMPERSONATION)]


class TestGrantsWhoseRulesTheTrailDoesNotHold:
    """A broken glass that went unrecorded is announced in a status, which has no room for the rules of its role."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"impersonated": "system:serviceaccount:payments:deployer", "reason": "of its own"},
            {"reason": None},
        ],
    )
    def test_what_they_may_have_allowed_is_not_taken_for_nothing(self, changes: dict[str, str | None]) -> None:
        monitor = AMonitor(trail=[announced(rules=()), ended()])

        assert hows(monitor, a_call("delete", "pods/web-0", **changes)) == [(UID, How.UNEXPLAINED)]
        assert monitor.verdict().changes == "Unknown"

    def test_what_other_access_allowed_is_a_candidate(self) -> None:
        monitor = AMonitor(trail=[announced(rules=()), ended()])

        assert hows(monitor, a_call("delete", "pods/web-0", reason=STANDING)) == [(UID, How.STANDING)]


def test_constrained_impersonation_has_a_verb_of_its_own() -> None:
    rules = [
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["serviceaccounts"],
            "verbs": ["impersonate:serviceaccount"],
        }
    ]
    monitor = AMonitor(trail=[announced(rules=rules)])

    assert hows(monitor, a_call(impersonated="system:serviceaccount:payments:deployer", reason="of its own")) == [
        (UID, How.IMPERSONATION)
    ]


def test_two_calls_under_one_audit_id_are_both_kept_and_alarmed() -> None:
    monitor = AMonitor()

    found = monitor.arrives(a_call("get", audit_id="mine"), a_call("delete", audit_id="mine"))

    assert [one.record.event for one in found] == ["call.read", "call.deleted", "alert.audit_id_reused"]
    assert monitor.verdict().changes == "Yes"


def test_the_beginning_and_the_end_of_a_stream_are_one_call() -> None:
    begun = a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED)
    over = a_call("watch", "pods/", audit_id=begun.audit_id, lasted=timedelta(minutes=3))

    assert AMonitor(trail=[announced()]).attribution.attribute(begun) != ()
    assert alerts(AMonitor(), begun, over) == []


def test_a_stream_that_was_refused_never_began() -> None:
    monitor = AMonitor()

    monitor.arrives(refused("create", "pods/web-0 (exec)", stage=CallStage.RESPONSE_STARTED))

    assert monitor.log == {}


def test_the_same_event_again_changes_nothing() -> None:
    monitor = AMonitor()
    call = a_call("delete", "pods/web-0")

    monitor.arrives(call, call)
    monitor.restart()
    monitor.arrives(call)

    assert monitor.events() == ["call.deleted"]
    assert monitor.tally().writes == 1


def test_an_event_that_was_not_durable_leads_to_the_same_records_when_it_is_sent_again() -> None:
    monitor = AMonitor()
    calls = [
        a_call("create", "pods/debug"),
        a_call("get", audit_id="mine"),
        a_call("delete", audit_id="mine"),
        a_call("delete", "pods/debug", user=BOB, reason="of his own", at=NOON + timedelta(minutes=20)),
        a_call(at=END + timedelta(seconds=30)),
    ]
    first = [{one.record.id for one in monitor.attribution.attribute(call)} for call in calls]

    again = [{one.record.id for one in monitor.attribution.attribute(call)} for call in calls]

    assert all(first)
    assert all(before <= now for before, now in zip(first, again, strict=True))
    assert set().union(*again) == set().union(*first)


class TestBindingsOfGrantsThatAreNotKnown:
    """Their names have the form of a grant's."""

    def test_calls_before_the_record_of_a_broken_glass_are_attributed_when_it_comes(self) -> None:
        monitor = AMonitor(trail=[])

        assert monitor.arrives(a_call("delete", "pods/web-0"), a_call()) == []
        assert monitor.keep(monitor.attribution.caught_up(NOON)) == []

        monitor.announce(announced())
        monitor.keep(monitor.attribution.caught_up(NOON))

        assert monitor.events() == ["call.deleted", "call.read"]
        assert monitor.attribution.caught_up(NOON) == ()

    def test_a_binding_that_nobody_announced_is_alarmed_after_ten_minutes(self) -> None:
        monitor = AMonitor(trail=[])
        monitor.arrives(a_call(at=NOON))

        assert monitor.attribution.caught_up(NOON + timedelta(minutes=10)) == ()
        (found,) = monitor.attribution.caught_up(NOON + timedelta(minutes=10, seconds=1))

        assert (found.session, found.record.event) == (None, "alert.binding_name_reused")
        assert found.record.subject == UID
        assert monitor.attribution.caught_up(NOON + timedelta(days=1)) == ()

    def test_curfews_own_bindings_are_no_grants(self) -> None:
        monitor = AMonitor(trail=[])

        monitor.arrives(
            a_call(reason=reason(binding="curfew-granter"), user="system:serviceaccount:curfew-system:curfew")
        )

        assert monitor.attribution.caught_up(NOON + timedelta(days=1)) == ()

    def test_many_of_them_need_no_memory(self) -> None:
        monitor = AMonitor(trail=[])

        for number in range(3_000):
            monitor.arrives(a_call(reason=reason(f"{number:08x}-0000-0000-0000-000000000000")))

        assert len(monitor.attribution.caught_up(NOON + timedelta(days=1))) == 50
        assert monitor.attribution.lost == 2_950

    def test_calls_that_there_is_no_room_for_are_counted(self) -> None:
        monitor = AMonitor(trail=[])
        calls = [a_call() for _ in range(MOST_CALLS)]

        monitor.arrives(*calls, *calls)
        assert monitor.attribution.lost == 0
        monitor.arrives(a_call("delete", "pods/web-0"))

        assert monitor.attribution.lost == 1


def test_what_is_forgotten_is_forgotten_everywhere() -> None:
    monitor = AMonitor()
    monitor.arrives(
        a_call("create", "pods/debug"), a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1")
    )

    assert monitor.attribution.forget(END) == ()
    assert monitor.attribution.forget(END + MOMENT) == (UID,)

    assert monitor.sessions.all() == ()
    assert monitor.arrives(a_call(caller=Caller("system:serviceaccount:payments:deployer", credential="JTI=1"))) == []
