"""The example for PostgreSQL reads what a real server wrote (tests/recorded/postgresql), and takes no value out of it."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from curfew.audit.record import Record
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.external.reading import LineRefusal, LineRefused, lines_of, read_line
from curfew.core.activity.external.taking import take_lines
from curfew.settings.mappings import load_mapping
from tests.support.foreign import UID, a_session

TOP = Path(__file__).parents[3]
RECORDED = TOP / "tests" / "recorded" / "postgresql"
FIRST = json.loads((RECORDED / "statements.jsonl").read_text().splitlines()[0])
BEGIN = datetime.fromisoformat(FIRST["timestamp"].replace(" UTC", "Z"))
ALICE = "alice@example.com"
GRANT = f"curfew-{UID}"


@pytest.fixture(scope="module")
def mapping() -> LineMapping:
    return load_mapping(TOP / "examples" / "correlation" / "postgresql.yaml")


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.jsonl").read_bytes()


def take(name: str, mapping: LineMapping) -> tuple[list[Record], Counter[str]]:
    return take_lines(recorded(name), mapping, [a_session(begins=BEGIN)], BEGIN + timedelta(hours=2))


def told(records: list[Record]) -> list[tuple[str, str, str, str, str | None]]:
    """Return actor, action, object, strength and outcome of what was done, without connections."""
    return [
        (record.block["actor"], detail["action"], detail["object"], detail["strength"], detail.get("outcome"))
        for record in records
        if not (detail := record.block["detail"])["action"].startswith(("connection", "disconnection"))
    ]


def test_statements_are_tied_by_role_application_name_ticket_and_person(mapping: LineMapping) -> None:
    records, not_taken = take("statements", mapping)

    assert told(records) == [
        (ALICE, "insert", "payments", "Attributed", None),
        (ALICE, "select", "payments", "Attributed", None),
        (ALICE, "ALTER", "postgres", "Attributed", None),
        (ALICE, "update", "public.payments", "Attributed", None),
        (ALICE, "delete", "nothing", "Attributed", None),
        (ALICE, "delete", "nothing", "Attributed", "Failure"),
        (GRANT, "delete", "payments", "Attributed", None),
        (ALICE, "truncate", "payments", "Correlated", None),
        ("bob", "select", "payments", "Correlated", None),  # he wrote alice's grant into his application_name
        ("bob", "select", "payments", "Correlated", "Failure"),
        (ALICE, "insert", "payments", "Claimed", None),
        (ALICE, "prepare", "payments", "Claimed", None),
        (ALICE, "select", "postgres", "Claimed", None),
        (ALICE, "with", "payments", "Claimed", None),
        (ALICE, "create", '"Odd Name"', "Claimed", None),
    ]
    assert set(not_taken) == {"NotSelected", "NoSession"}


def test_pgaudit_names_the_command_and_the_table(mapping: LineMapping) -> None:
    records, not_taken = take("pgaudit", mapping)

    assert told(records) == [
        (ALICE, "INSERT", "public.payments", "Attributed", None),
        (ALICE, "SELECT", "public.payments", "Attributed", None),
        (ALICE, "ALTER ROLE", "postgres", "Attributed", None),
        (ALICE, "UPDATE", "public.payments", "Attributed", None),
        (ALICE, "delete", "nothing", "Attributed", "Failure"),
        (GRANT, "DELETE", "public.payments", "Attributed", None),
        (ALICE, "TRUNCATE TABLE", "postgres", "Correlated", None),
        ("bob", "select", "payments", "Correlated", "Failure"),
        (ALICE, "INSERT", "public.payments", "Claimed", None),
        (ALICE, "PREPARE", "postgres", "Claimed", None),
        (ALICE, "SELECT", "postgres", "Claimed", None),
        (ALICE, "INSERT", "public.payments", "Claimed", None),
        (ALICE, "CREATE TABLE", 'public.""Odd Name""', "Claimed", None),
    ]
    assert set(not_taken) == {"NotSelected", "NoSession"}


@pytest.mark.parametrize("name", ["statements", "pgaudit"])
def test_each_line_of_a_person_is_read_and_each_other_is_left_out(name: str, mapping: LineMapping) -> None:
    refused = []
    for line in lines_of(recorded(name)):
        try:
            event = read_line(line, mapping, BEGIN + timedelta(hours=2))
        except LineRefused as error:
            refused.append((error.reason, b'"backend_type":"client backend"' in line))
        else:
            assert event.person is not None
            assert event.address == "127.0.0.1"
            assert BEGIN < event.at < BEGIN + timedelta(minutes=10)
    assert set(refused) == {(LineRefusal.NOT_SELECTED, False)}


@pytest.mark.parametrize("name", ["statements", "pgaudit"])
def test_no_value_of_a_statement_is_in_a_record(name: str, mapping: LineMapping) -> None:
    lines, (records, _) = recorded(name), take(name, mapping)
    stored = b"\n".join(record.line() for record in records)

    for value in (b"4111-1111-1111-1111", b"5500-0000-0000-0004", b"hunter2", b"zwei", b"neun"):
        assert value in lines or (name == "pgaudit" and value == b"hunter2")
        assert value not in stored


@pytest.mark.parametrize("name", ["statements", "pgaudit"])
def test_a_second_import_has_the_same_records(name: str, mapping: LineMapping) -> None:
    first, second = take(name, mapping)[0], take(name, mapping)[0]

    assert [record.id for record in first] == [record.id for record in second]
    assert len({record.id for record in first}) == len(first)
