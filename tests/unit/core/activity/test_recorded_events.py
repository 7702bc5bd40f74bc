"""Each event that a real API server wrote is read as the call that was made."""

import pytest

from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.formats.forms import Why
from curfew.core.activity.formats.reading import read_event_list
from curfew.core.activity.reason import parse
from tests.support.audit_events import BODY, RECORDED_AT, read_recorded, recorded, recorded_all

GRANT = "curfew-6e1c1b0e-4c6a-4a51-9a57-0c3f5cf3a001"


def test_every_event_is_a_call_but_those_of_the_stage_where_nothing_is_decided() -> None:
    events = read_recorded()

    assert set(events.refused) == {Why.REQUEST_RECEIVED}
    assert len(events.calls) > events.refused[Why.REQUEST_RECEIVED] > 100


def test_what_the_webhook_gets_is_what_the_log_has() -> None:
    sent = read_event_list(BODY, now=RECORDED_AT)

    assert sent.calls
    assert set(sent.calls) <= set(read_recorded().calls)


def test_every_reason_that_allowed_a_call_is_one_of_rbac() -> None:
    for call in read_recorded().calls:
        assert (call.decision == "allow") == (parse(call.reason or "") is not None), call


def test_a_call_under_the_grant_names_its_binding() -> None:
    call = recorded("get")
    reason = parse(call.reason or "")

    assert reason is not None
    assert (reason.binding_kind, reason.binding, reason.namespace) == ("RoleBinding", GRANT, "team-a")
    assert (call.user, call.verb, call.resource, call.namespace, call.name) == (
        "alice@example.com", "get", "pods", "team-a", "runs",
    )  # fmt: skip
    assert (call.code, call.decision, call.version, call.group) == (200, "allow", "v1", "")
    assert (call.caller.credential or "").startswith("X509SHA256=")


@pytest.mark.parametrize(
    ("step", "verb", "subresource", "name", "code"),
    [
        ("list", "list", "", "", 200),
        ("list-one-by-field", "list", "", "missing", 200),
        ("watch", "watch", "", "", 200),
        ("logs", "get", "log", "runs", 200),
        ("create", "create", "", "one", 201),
        ("create-again", "create", "", "one", 409),
        ("update", "update", "", "one", 200),
        ("patch", "patch", "", "one", 200),
        ("apply", "patch", "", "three", 201),
        ("delete", "delete", "", "one", 200),
        ("delete-all", "deletecollection", "", "", 200),
        ("scale", "patch", "scale", "web", 200),
        ("evict", "create", "eviction", "left", 201),
        ("exec", "create", "exec", "runs", 101),
        ("exec-websocket", "get", "exec", "runs", 101),
        ("attach", "create", "attach", "runs", 101),
        ("port-forward", "create", "portforward", "runs", 101),
        ("exec-waiting", "create", "exec", "waits", 400),
        ("get-namespace", "get", "", "team-a", 200),
    ],
)
def test_what_was_done(step: str, verb: str, subresource: str, name: str, code: int) -> None:
    call = recorded(step)

    assert (call.verb, call.subresource, call.name, call.code) == (verb, subresource, name, code)
    assert call.namespace == "team-a"


def test_a_made_up_name_is_known_only_from_the_body_of_the_answer() -> None:
    assert recorded("create-generated").name == ""
    assert recorded("with-bodies-generated").name.startswith("made-")


def test_the_beginning_and_the_end_of_a_stream_are_one_call() -> None:
    for step in ("watch", "watch-closed", "logs-follow", "exec", "exec-websocket", "port-forward"):
        begun, ended = recorded_all(step)
        assert (begun.stage, ended.stage) == (CallStage.RESPONSE_STARTED, CallStage.RESPONSE_COMPLETE)
        assert begun.identity == ended.identity


def test_a_stream_that_is_refused_begins_too_with_the_code_of_the_refusal() -> None:
    assert [(call.stage, call.code) for call in recorded_all("exec-refused")] == [
        (CallStage.RESPONSE_STARTED, 403),
        (CallStage.RESPONSE_COMPLETE, 403),
    ]


@pytest.mark.parametrize(
    ("step", "decision", "is_by_rbac"),
    [
        ("refused-by-rbac", "forbid", False),
        ("refused-by-policy", "allow", True),
        ("refused-by-pod-security", "allow", True),
        ("refused-as-escalation", "allow", True),
        ("as-bob-refused", None, False),
    ],
)
def test_a_refusal_by_admission_names_the_binding_that_allowed_the_call(
    step: str, decision: str | None, is_by_rbac: bool
) -> None:
    call = recorded(step)

    assert (call.code, call.decision) == (403, decision)
    assert (parse(call.reason or "") is not None) == is_by_rbac


def test_a_wrong_token_is_nobody() -> None:
    (call,) = recorded_all("wrong-token")

    assert (call.stage, call.user, call.code) == (CallStage.RESPONSE_STARTED, "", 401)
    assert recorded("anonymous").user == "system:anonymous"


@pytest.mark.parametrize("step", ["as-bob", "as-bob-constrained"])
def test_impersonation_keeps_both_people(step: str) -> None:
    call = recorded(step)
    reason = parse(call.reason or "")

    assert call.caller.name in ("alice@example.com", "dora@example.com")
    assert (call.impersonated, call.user) == ("bob@example.com", "bob@example.com")
    assert reason is not None
    assert reason.subject == "bob@example.com"


def test_an_impersonated_group_may_be_what_allows_the_call() -> None:
    call = recorded("as-group")
    reason = parse(call.reason or "")

    assert call.user == "nobody"
    assert reason is not None
    assert (reason.subject_kind, reason.subject) == ("Group", "on-call")


def test_refused_impersonation_shows_only_who_called() -> None:
    call = recorded("as-bob-refused")

    assert (call.impersonated, call.user, call.code) == (None, "dora@example.com", 403)


def test_a_token_is_followed_by_the_id_of_its_credential() -> None:
    for issued, used in (("token", "with-token"), ("token-of-pod", "with-token-of-pod")):
        credential = recorded(issued).issued_credential
        assert credential is not None
        assert credential.startswith("JTI=")
        assert recorded(used).caller.credential == credential
    name, uid = recorded("with-token-of-pod").caller.pod or ("", "")
    assert name == "works"
    assert len(uid) == 36
    assert recorded("with-token").caller.pod is None


def test_names_with_quotes_are_the_same_in_the_reason_and_in_the_event() -> None:
    for step in ("quoted-user", "strange-user"):
        call = recorded(step)
        reason = parse(call.reason or "")
        assert reason is not None
        assert reason.subject == call.user
        assert (reason.role, reason.namespace) == ("work", "team-a")
    assert recorded("quoted-user").user == 'x" of ClusterRole "admin'
    assert '"' in recorded("strange-user").user


def test_two_calls_under_one_audit_id_are_two_calls() -> None:
    got, deleted = recorded("id-get"), recorded("id-delete")

    assert got.audit_id == deleted.audit_id == "chosen-by-the-caller"
    assert got.identity != deleted.identity


def test_a_long_audit_id_is_cut_and_stays_one_of_a_kind() -> None:
    call = recorded("id-strange")

    assert len(call.audit_id) == 256
    assert call.audit_id.startswith('a "quoted"\tlong')


def test_the_last_address_is_the_one_that_called() -> None:
    assert recorded("forwarded").source_addresses == ("203.0.113.7", "198.51.100.4", "127.0.0.1")


def test_a_name_may_hold_anything_that_a_path_can() -> None:
    call = recorded("get-odd-name")

    assert (call.name, call.subresource) == ('a "\n\x1b[31mé', "b\ufffd")


@pytest.mark.parametrize(
    ("step", "dry_run"),
    [
        pytest.param("dry-create", True, id="asked for in the URI"),
        pytest.param("dry-delete", None, id="a deletion whose body is not in the event"),
        pytest.param("dry-delete-in-body", False, id="asked for in a body that is not in the event"),
        pytest.param("dry-but-body", None, id="asked for in the URI, but the body says otherwise and counts"),
        pytest.param("dry-but-body-all", None, id="the same for many"),
        pytest.param("dry-in-other-words", False, id="a parameter of another name"),
        pytest.param("dry-token", False, id="a token is issued all the same"),
        pytest.param("with-bodies-dry-delete", True, id="a deletion without a body, by an event that would show it"),
        pytest.param("with-bodies-dry-delete-in-body", True, id="asked for in a body that is in the event"),
        pytest.param("with-bodies-dry-but-body", False, id="a body that says otherwise, and is in the event"),
        pytest.param("delete", False, id="a deletion"),
        pytest.param("get", False, id="a call that changes nothing anyway"),
    ],
)
def test_a_dry_run_is_one_only_if_the_event_proves_it(step: str, dry_run: bool | None) -> None:
    assert recorded(step).dry_run is dry_run


def test_what_looked_like_a_dry_run_was_none() -> None:
    assert recorded("dry-but-body").code == 200
    assert recorded("dry-but-body-is-gone").code == 404


def test_a_change_that_is_reported_as_failed_may_have_been_made() -> None:
    found = [call for call in read_recorded().calls if (call.user_agent or "").startswith("recording/timed-out")]
    changed, seen = found[-2:]

    assert (changed.verb, changed.name == seen.name) == ("create", True)
    assert (changed.code or 0) >= 500
    assert seen.code == 200


def test_the_uid_is_the_api_servers_and_not_the_callers() -> None:
    assert recorded("create-with-uid").uid == ""
    assert recorded("update-other-uid").uid == ""
    assert len(recorded("delete").uid) == 36


def test_bodies_leave_nothing_in_a_call() -> None:
    calls: list[Call] = read_recorded().calls

    assert "secret-in-a-body" not in repr(calls)
