"""An event of Kubernetes is refused only if it is none, and nothing that a caller can write makes it so."""

from typing import Any

import pytest

from curfew.audit.canonical import canonical
from curfew.core.activity.call import Call
from curfew.core.activity.formats.forms import EventRefused, Why
from curfew.core.activity.formats.kubernetes import parse
from tests.support.audit_events import an_event


def refusal(event: dict[str, Any]) -> Why:
    """Return why an event is refused."""
    with pytest.raises(EventRefused) as refused:
        parse(event)
    return refused.value.why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"kind": "Pod"}, Why.NOT_AN_EVENT, id="another kind"),
        pytest.param({"apiVersion": "v1"}, Why.NOT_AN_EVENT, id="an Event of the core group"),
        pytest.param({"apiVersion": "audit.k8s.io/v1beta1"}, Why.NOT_AN_EVENT, id="a version that is gone since 1.24"),
        pytest.param({"stage": None}, Why.WRONG_FIELD, id="no stage"),
        pytest.param({"stage": "RequestReceived"}, Why.REQUEST_RECEIVED, id="nothing was decided yet"),
        pytest.param({"stage": "Later"}, Why.WRONG_FIELD, id="a stage that does not exist"),
        pytest.param({"stage": ["Panic"]}, Why.WRONG_FIELD, id="a stage that is no text"),
        pytest.param({"auditID": None}, Why.WRONG_FIELD, id="no ID"),
        pytest.param({"auditID": 7}, Why.WRONG_FIELD, id="an ID that is no text"),
        pytest.param({"verb": ""}, Why.WRONG_FIELD, id="no verb"),
        pytest.param({"user": "alice"}, Why.WRONG_FIELD, id="a user that is no object"),
        pytest.param({"user": {"groups": "all"}}, Why.WRONG_FIELD, id="groups that are no list"),
        pytest.param(
            {"user": {"extra": {"authentication.kubernetes.io/credential-id": [1]}}}, Why.WRONG_FIELD, id="an ID"
        ),
        pytest.param({"impersonatedUser": []}, Why.WRONG_FIELD, id="an impersonated user that is no object"),
        pytest.param({"objectRef": {"name": {}}}, Why.WRONG_FIELD, id="a name that is no text"),
        pytest.param({"responseStatus": {"code": "200"}}, Why.WRONG_FIELD, id="a code that is no number"),
        pytest.param({"responseStatus": {"code": True}}, Why.WRONG_FIELD, id="a code that is a truth value"),
        pytest.param({"sourceIPs": [None]}, Why.WRONG_FIELD, id="an address that is no text"),
        pytest.param(
            {"annotations": {"authorization.k8s.io/reason": 1}}, Why.WRONG_FIELD, id="a reason that is no text"
        ),
        pytest.param({"stageTimestamp": None}, Why.WRONG_FIELD, id="no time"),
        pytest.param({"requestReceivedTimestamp": "yesterday"}, Why.WRONG_FIELD, id="no time in words"),
        pytest.param({"requestReceivedTimestamp": "2026-11-30T10:00:00"}, Why.WRONG_FIELD, id="no time zone"),
        pytest.param({"stageTimestamp": "0001-01-01T00:00:00+14:00"}, Why.WRONG_FIELD, id="before all time"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(fields: dict[str, Any], why: Why) -> None:
    assert refusal(an_event(**fields)) is why


def test_an_object_that_has_nothing_of_an_event_is_none() -> None:
    assert refusal({"metadata": {}, "verb": "get"}) is Why.NOT_AN_EVENT


def test_an_item_of_a_list_has_no_kind() -> None:
    assert parse(an_event(kind=None, apiVersion=None)) == parse(an_event())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"user": {}, "annotations": None, "objectRef": None}, id="nobody asks for a URL"),
        pytest.param({"responseStatus": None}, id="no status"),
        pytest.param({"userAgent": None, "sourceIPs": None}, id="no headers"),
        pytest.param({"requestURI": None}, id="no URI"),
        pytest.param({"requestObject": "skipped-too-big-size-object"}, id="a body that was left out"),
        pytest.param({"verb": "create", "objectRef": {}, "responseObject": [1]}, id="an answer of any kind"),
    ],
)
def test_what_may_be_absent(fields: dict[str, Any]) -> None:
    parse(an_event(**fields))


HUGE = 'a&"\n\x1b\u202e\ud800\U0001f511' * 100_000


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"auditID": HUGE}, id="Audit-ID"),
        pytest.param({"requestURI": f"/{HUGE}"}, id="URI"),
        pytest.param({"userAgent": HUGE}, id="user agent"),
        pytest.param({"verb": HUGE}, id="method"),
        pytest.param({"sourceIPs": [HUGE] * 1000}, id="addresses"),
        pytest.param(
            {"objectRef": dict.fromkeys(("resource", "name", "namespace", "subresource", "uid"), HUGE)}, id="path"
        ),
        pytest.param(
            {"impersonatedUser": {"username": HUGE, "groups": [HUGE], "extra": {HUGE: [HUGE]}}}, id="impersonation"
        ),
        pytest.param(
            {"responseStatus": {"code": 999, "message": HUGE, "details": {"name": HUGE}}}, id="the code of a pod"
        ),
    ],
)
def test_no_caller_can_make_the_event_of_a_call_unwelcome(fields: dict[str, Any]) -> None:
    call = parse(an_event(**fields))

    assert len(repr(call)) < 20_000
    canonical(everything(call))


def everything(call: Call) -> list[Any]:
    """Return all texts and numbers of a call, as a record might hold them."""
    found: list[Any] = [call.user, call.identity, *call.source_addresses, *call.caller.groups]
    for name in Call.__slots__:
        value = getattr(call, name)
        found += [value] if isinstance(value, str | int) else []
    return found


def test_texts_that_are_cut_stay_different() -> None:
    one, other = parse(an_event(auditID=f"{'a' * 9000}1")), parse(an_event(auditID=f"{'a' * 9000}2"))

    assert len(one.audit_id) == len(other.audit_id)
    assert one.audit_id != other.audit_id
    assert one.identity != other.identity


def test_a_name_that_is_cut_is_nobodys_else() -> None:
    long = "x" * 600

    assert parse(an_event(user={"username": long})).user not in (long, long[:512])


def test_the_real_address_is_kept_however_many_are_forged() -> None:
    call = parse(an_event(sourceIPs=[f"198.51.100.{number}" for number in range(255)] + ["192.0.2.10"]))

    assert call.source_addresses[-1] == "192.0.2.10"
    assert len(call.source_addresses) == 16


@pytest.mark.parametrize(("code", "known"), [(100, 100), (999, 999), (99, None), (1000, None), (0, None), (-1, None)])
def test_a_code_has_three_digits(code: int, known: int | None) -> None:
    assert parse(an_event(responseStatus={"code": code})).code == known


TRUNCATED = {"audit.k8s.io/truncated": "true"}


@pytest.mark.parametrize(
    ("fields", "dry_run"),
    [
        pytest.param({"verb": "create", "requestURI": "/x?dryRun=All"}, True, id="create"),
        pytest.param({"verb": "create", "requestURI": "/x?a=b&dryRun=All&c"}, True, id="among others"),
        pytest.param({"verb": "create", "requestURI": "/dryRun=All"}, False, id="in the path"),
        pytest.param(
            {"verb": "update", "requestURI": "/x?dryRun=All", "objectRef": {"resource": "vms", "subresource": "start"}},
            None,
            id="another API server may not heed it",
        ),
        pytest.param(
            {"verb": "update", "requestURI": "/x?dryRun=All", "objectRef": {"resource": "vms", "subresource": "scale"}},
            True,
            id="a subresource of Kubernetes'",
        ),
        pytest.param({"verb": "create", "requestURI": "/x?xdryRun=All"}, False, id="another parameter"),
        pytest.param({"verb": "create", "requestURI": "/x?a=dryRun=All"}, False, id="in a value"),
        pytest.param({"verb": "create", "requestURI": "/x?dryRun=All;"}, False, id="Go drops what holds a semicolon"),
        pytest.param({"verb": "create", "requestURI": "/x?dryRun=%41ll"}, False, id="nobody writes it so: not proved"),
        pytest.param({"verb": "delete", "requestURI": "/x"}, False, id="delete"),
        pytest.param(
            {"verb": "delete", "requestURI": "/x?dryRun=All"}, None, id="a body that is not in the event decides"
        ),
        pytest.param(
            {"verb": "delete", "requestURI": "/x?dryRun=All", "level": "Request"}, True, id="there was no body"
        ),
        pytest.param(
            {"verb": "delete", "requestURI": "/x?dryRun=All", "level": "Request", "annotations": TRUNCATED},
            None,
            id="the body was cut off",
        ),
        pytest.param(
            {"verb": "delete", "requestURI": "/x?dryRun=All", "level": "Request", "requestObject": "skipped"},
            None,
            id="the body was left out",
        ),
        pytest.param({"verb": "delete", "requestObject": {"dryRun": ["All"]}}, True, id="the body asks for it"),
        pytest.param(
            {"verb": "delete", "requestObject": {"dryRun": "All"}}, False, id="the body does not quite ask for it"
        ),
        pytest.param(
            {"verb": "create", "requestObject": {"dryRun": ["All"]}}, False, id="a field of an object that is created"
        ),
    ],
)
def test_a_dry_run_has_to_be_proved(fields: dict[str, Any], dry_run: bool | None) -> None:
    assert parse(an_event(**fields)).dry_run is dry_run


def test_a_query_that_was_cut_shows_no_more_what_was_asked_for() -> None:
    long = f"/api/v1/namespaces/payments/pods?pretty={'a' * 2_000}&labelSelector=app%3Dweb"

    assert not parse(an_event(verb="deletecollection", requestURI=long)).shows_query
    assert parse(an_event(verb="deletecollection", requestURI=long[:2_000])).shows_query


def test_two_creations_at_the_same_microsecond_are_two_calls() -> None:
    """A caller chooses the Audit-ID, and both have the URI of the collection."""
    one, other = (parse(an_event(verb="create", objectRef={"resource": "pods", "name": name})) for name in ("a", "b"))

    assert one.identity != other.identity
