"""The records of what was noticed: OCSF, the catalogue, no names but where pseudonyms replace them, and nothing unbounded."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from curfew.audit.events import EVENTS
from curfew.audit.noticed_events import NOTICED_EVENTS
from curfew.audit.pseudonyms import Person, hidden, names_in, revealed
from curfew.audit.record import Record
from curfew.core.activity.noticing import records
from curfew.core.activity.noticing.binding import MOST_SUBJECTS, OutsideBinding, SeenBinding
from curfew.core.activity.noticing.records import FoundBy, GoneBecause
from tests.support.activity import a_call, announced
from tests.support.builders import ALICE, BOB, NOON
from tests.support.noticing import ANoticing, a_binding, a_refusal, offered
from tests.support.ocsf import validate

PEOPLE = {name: Person(name, bytes([number]) * 32) for number, name in enumerate((ALICE, BOB), start=1)}
OUTSIDE = OutsideBinding(
    "RoleBinding", "payments", "quick", "uid-1", "ClusterRole/payments-debug", (f"User {ALICE}", "Group team"), 3, NOON
)


def every_record() -> Iterator[Record]:
    """Yield a record of each kind."""
    noticing = ANoticing(announced(), offered())
    reason = f'RBAC: allowed by RoleBinding "quick/payments" of ClusterRole "payments-debug" to User "{ALICE}"'
    yield from noticing.arrives(
        a_refusal(impersonated=BOB),
        a_refusal(),
        a_call("get", "secrets/db", reason=reason),
        a_call("delete", "clusterroles.rbac.authorization.k8s.io/curfew-granter", namespace="", reason=""),
    )
    wrote = a_call("create", "rolebindings.rbac.authorization.k8s.io/quick", user=BOB)
    yield records.found_outside(OUTSIDE, wrote, FoundBy.FEED, at=NOON)
    yield records.found_outside(OUTSIDE, None, FoundBy.LIST, at=NOON)
    yield records.gone_outside(OUTSIDE, wrote, GoneBecause.DELETED, at=NOON + timedelta(hours=1))


RECORDS = tuple(every_record())


def test_there_is_one_of_each_event() -> None:
    assert {record.event for record in RECORDS} == {event.name for event in NOTICED_EVENTS}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
def test_each_is_a_record_of_the_catalogue(record: Record) -> None:
    validate(record)
    assert set(record.block["detail"]) <= set(EVENTS[record.event].detail)
    assert Record.parse(json.loads(record.line())) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
def test_pseudonyms_take_the_place_of_all_names_and_the_names_come_back(record: Record) -> None:
    stored = hidden(record, {name: PEOPLE[name] for name in names_in(record)})

    text = stored.line().decode()
    assert names_in(record)
    assert ALICE not in text
    assert BOB not in text
    known = {person.pseudonym: person for person in PEOPLE.values()}
    assert revealed(stored, known).line() == record.line()


def test_a_binding_is_read_back_from_its_record() -> None:
    record = records.found_outside(OUTSIDE, None, FoundBy.LIST, at=NOON)

    assert OutsideBinding.read_back(record.block["detail"]) == OUTSIDE


@pytest.mark.parametrize(
    "detail", [{"subjects": "x"}, {"more_subjects": "3"}, {"more_subjects": True}, {"made_at": 3}, {"name": ["x"]}]
)
def test_what_another_version_wrote_in_another_way_is_not_read(detail: dict[str, object]) -> None:
    record = records.found_outside(OUTSIDE, None, FoundBy.LIST, at=NOON)

    assert OutsideBinding.read_back({**record.block["detail"], **detail}) is None


def test_a_binding_without_subjects_gives_nothing_and_is_no_error() -> None:
    nobody = OutsideBinding("ClusterRoleBinding", "", "all", "uid", "ClusterRole/x", (), 0, None)

    assert "gives ClusterRole/x to nobody" in records.found_outside(nobody, None, FoundBy.LIST, at=NOON).message
    many = OutsideBinding("ClusterRoleBinding", "", "all", "uid", "ClusterRole/x", (), 7, None)
    assert "to others" in records.found_outside(many, None, FoundBy.LIST, at=NOON).message


# --- what the API server answers --------------------------------------------------------------------------------------

BODY = {
    "metadata": {"name": "quick", "namespace": "payments", "uid": "uid-1", "creationTimestamp": "2026-11-23T12:00:00Z"},
    "roleRef": {"kind": "ClusterRole", "name": "payments-debug"},
    "subjects": [{"kind": "User", "name": "mallory@example.com"}],
}


def test_a_binding_is_read() -> None:
    assert SeenBinding.of("RoleBinding", BODY) == a_binding()


def test_a_service_account_without_a_namespace_is_of_the_bindings_own() -> None:
    subjects = [{"kind": "ServiceAccount", "name": "x", "namespace": "y"}, {"kind": "ServiceAccount", "name": "x"}]

    seen = SeenBinding.of("RoleBinding", {**BODY, "subjects": subjects})

    assert seen is not None
    assert seen.subjects == ("ServiceAccount y/x", "ServiceAccount payments/x")


def test_a_cluster_role_binding_has_no_namespace() -> None:
    seen = SeenBinding.of("ClusterRoleBinding", BODY)

    assert seen is not None
    assert seen.key.namespace == ""


def test_more_subjects_than_are_read_are_counted() -> None:
    subjects = [{"kind": "User", "name": f"u-{number}"} for number in range(MOST_SUBJECTS + 7)]

    seen = SeenBinding.of("RoleBinding", {**BODY, "subjects": subjects})

    assert seen is not None
    assert (len(seen.subjects), seen.more_subjects) == (MOST_SUBJECTS, 7)


@pytest.mark.parametrize(
    "body",
    [
        {}, {**BODY, "metadata": None}, {**BODY, "metadata": {"name": "x"}}, {**BODY, "metadata": {"uid": "x"}},
        {**BODY, "roleRef": None}, {**BODY, "roleRef": "x"}, {**BODY, "subjects": "x"}, {**BODY, "subjects": {"a": 1}},
    ],
)  # fmt: skip
def test_what_is_no_binding_is_none(body: dict[str, object]) -> None:
    assert SeenBinding.of("RoleBinding", body) is None


@pytest.mark.parametrize("subject", [None, "x", [], {}, {"kind": 7, "name": []}, {"kind": "ServiceAccount"}])
def test_a_subject_that_is_none_ends_nothing(subject: object) -> None:
    seen = SeenBinding.of("RoleBinding", {**BODY, "subjects": [subject]})

    assert seen is not None
    assert len(seen.subjects) == 1


@pytest.mark.parametrize("at", ["", "soon", "2026-11-23", 7, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_is_none_is_not_known(at: object) -> None:
    seen = SeenBinding.of("RoleBinding", {**BODY, "metadata": {**BODY["metadata"], "creationTimestamp": at}})  # type: ignore[dict-item]

    assert seen is not None
    assert seen.made_at is None or at == "2026-11-23"
