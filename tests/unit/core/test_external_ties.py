"""Which sessions a line of another system is tied to, how strongly, and what is recorded."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.pseudonyms import Person, hidden, names_in, revealed
from curfew.audit.record import CURFEW, Record
from curfew.core.activity.external.taking import take_lines
from curfew.core.activity.external.tying import MOST_TIES, SKEW
from curfew.core.activity.session import Session
from tests.support.builders import ALICE, BOB, NOON
from tests.support.foreign import LEDGER, UID, a_line, a_session
from tests.support.ocsf import validate

END = NOON + timedelta(hours=1)
OTHER = "0d4b7b7e-53f2-4a5e-8f68-0f5d3a1f0c01"


def take(*lines: bytes, sessions: Sequence[Session] = ()) -> list[Record]:
    records, _ = take_lines(b"\n".join(lines), LEDGER, sessions or [a_session()], NOON + timedelta(days=1))
    for record in records:
        validate(record)
    return records


def ties(line: bytes, *sessions: Session) -> list[tuple[str, str, str]]:
    """Return subject, strength and what ties, for each record of a line."""
    details = [(record.subject, record.block["detail"]) for record in take(line, sessions=sessions)]
    return [(subject, detail["strength"], detail["tied_by"]) for subject, detail in details]


@pytest.mark.parametrize(
    ("changes", "strength", "by"),
    [
        pytest.param({"grant": UID}, "Attributed", "Grant", id="the request's UID"),
        pytest.param({"grant": f"curfew-{UID}"}, "Attributed", "Grant", id="the binding's name"),
        pytest.param({"grant": UID, "who": None}, "Attributed", "Grant", id="the UID, and nobody's name"),
        pytest.param({"who": f"for-{UID}"}, "Attributed", "Grant", id="an account that was made for the grant"),
        pytest.param({"grant": UID, "who": "mallory"}, "Correlated", "Grant", id="the UID under another name"),
        pytest.param({"ticket": "INC-4711", "who": "bob"}, "Correlated", "Ticket", id="the ticket"),
        pytest.param(
            {"trace": [{"id": "INC-4711"}], "who": None}, "Correlated", "Correlation", id="the ticket as a trace"
        ),
        pytest.param({"trace": [{"id": "payments/inc-4711"}]}, "Correlated", "Correlation", id="the request's name"),
        pytest.param({"trace": [{"id": UID}]}, "Correlated", "Correlation", id="the UID as a trace"),
        pytest.param({}, "Claimed", "Person", id="a name that the mapping knows"),
        pytest.param({"who": ALICE}, "Claimed", "Person", id="the name that the API server knows"),
    ],
)
def test_a_line_is_tied_by_the_strongest_that_it_has(changes: dict[str, Any], strength: str, by: str) -> None:
    assert ties(a_line(**changes)) == [(UID, strength, by)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"who": "bob"}, id="another person"),
        pytest.param({"who": "Alice"}, id="another spelling"),
        pytest.param({"who": None, "ticket": "inc-4711"}, id="a ticket in another case"),
        pytest.param({"who": None, "ticket": "INC-47110"}, id="a longer ticket"),
        pytest.param({"who": None, "grant": UID[:-1]}, id="a shorter UID"),
        pytest.param({"who": None, "trace": [{"id": "inc-4711"}]}, id="a name without its namespace"),
        pytest.param({"who": None}, id="nothing"),
    ],
)
def test_a_line_that_is_nobodys_is_dropped_and_counted(changes: dict[str, Any]) -> None:
    records, not_taken = take_lines(a_line(**changes), LEDGER, [a_session()], END)

    assert (records, not_taken) == ([], {"NoSession": 1})


@pytest.mark.parametrize("changes", [{"who": "alice"}, {"who": None, "ticket": "INC-4711"}])
def test_a_person_or_a_ticket_counts_only_while_the_grant_is_open(changes: dict[str, Any]) -> None:
    def is_tied(at: Any, session: Session) -> bool:
        return bool(ties(a_line(at=at, **changes), session))

    session = a_session()
    assert [is_tied(at, session) for at in (NOON - SKEW, NOON, END, END + SKEW)] == [True] * 4
    too_far = (NOON - SKEW - timedelta(seconds=1), END + SKEW + timedelta(seconds=1))
    assert [is_tied(at, session) for at in too_far] == [False] * 2
    ended = a_session(ended_at=NOON + timedelta(minutes=10))
    assert not is_tied(NOON + timedelta(minutes=20), ended)


def test_a_grants_own_id_counts_after_its_end_too_and_the_record_shows_it() -> None:
    (record,) = take(a_line(at=END + timedelta(hours=2), grant=UID))

    assert record.block["detail"]["after_end"] is True
    assert record.message.endswith("(tied to request inc-4711 by the grant's own id, after its end)")


def test_a_grants_own_id_counts_for_nothing_before_the_grant() -> None:
    assert ties(a_line(at=NOON - timedelta(minutes=1), grant=UID, who=None)) == []


def test_a_grants_own_id_leaves_no_other_tie() -> None:
    assert ties(a_line(grant=UID, ticket="INC-4711"), a_session(), a_session(OTHER)) == [(UID, "Attributed", "Grant")]


def test_weaker_ties_have_a_record_for_each_session_the_strongest_first() -> None:
    sessions = [
        a_session(ticket=None),
        a_session(OTHER, begins=NOON + timedelta(minutes=1)),
        a_session("u3", requester=BOB),
    ]

    assert ties(a_line(ticket="INC-4711"), *sessions) == [
        (OTHER, "Correlated", "Ticket"),
        ("u3", "Correlated", "Ticket"),
        (UID, "Claimed", "Person"),
    ]


def test_one_line_has_a_bounded_number_of_records() -> None:
    sessions = [a_session(f"u{number:02}", begins=NOON + timedelta(seconds=number)) for number in range(MOST_TIES + 3)]

    records, not_taken = take_lines(a_line(), LEDGER, sessions, END)

    assert [record.subject for record in records] == [f"u{number:02}" for number in range(10, 2, -1)]
    assert not_taken == {"TooManySessions": 1}


def test_the_record_shows_what_was_done_and_by_what_it_is_tied() -> None:
    (record,) = take(a_line(ended="refused", source="192.0.2.7"))

    assert record.message == (
        "alice@example.com in ledger: transfer on account 7, which failed (tied to request inc-4711 by person and time only)"
    )
    assert record.block["detail"] == {
        "system": "ledger",
        "action": "transfer",
        "object": "account 7",
        "outcome": "Failure",
        "strength": "Claimed",
        "tied_by": "Person",
        "person": "alice",
        "line": record.block["detail"]["line"],
    }
    assert record.block["source"] == {"addresses": ["192.0.2.7"]}
    assert (record.body["class_uid"], record.body["status_id"]) == (6003, 2)
    assert record.body["api"] == {"operation": "transfer", "service": {"name": "ledger"}}
    assert record.body["resources"] == [{"name": "account 7"}]
    assert record.block["story"]["ticket"] == "INC-4711"


@pytest.mark.parametrize(("ended", "status"), [("ok", 1), ("refused", 2), ("perhaps", 0), (None, 0)])
def test_an_outcome_that_is_not_known_is_not_claimed(ended: str | None, status: int) -> None:
    (record,) = take(a_line(ended=ended))

    assert record.body["status_id"] == status


@pytest.mark.parametrize("name", ["system:curfew", "system:admin", "unknown"])
def test_nobody_takes_the_name_of_a_part_of_the_system(name: str) -> None:
    (record,) = take(a_line(who=name, ticket="INC-4711"))

    assert record.block["actor"] == CURFEW
    assert names_in(record) == {ALICE}


def test_the_same_line_is_the_same_record_whenever_it_comes() -> None:
    first = take(a_line(), a_line())
    later, _ = take_lines(a_line() + b"\r\n", LEDGER, [a_session(ended_at=END)], END + timedelta(days=3))

    assert len({record.id for record in first + later}) == 1


def test_another_line_another_session_or_another_system_is_another_record() -> None:
    other_system = LEDGER.model_copy(update={"system": "accounts"})
    records = [
        *take(a_line(), a_line(to="account 8"), sessions=[a_session(), a_session(OTHER)]),
        *take_lines(a_line(), other_system, [a_session()], END)[0],
    ]

    assert len({record.id for record in records}) == len(records) == 5


def test_bad_lines_stop_no_good_one_and_are_counted() -> None:
    lines = [
        b"rubbish",
        a_line(),
        b"{}",
        a_line(kind="ping"),
        a_line(at=NOON + timedelta(days=9)),
        a_line(to="account 8"),
    ]

    records, not_taken = take_lines(b"\n".join(lines), LEDGER, [a_session()], END)

    assert [record.block["detail"]["object"] for record in records] == ["account 7", "account 8"]
    assert not_taken == {"NotJson": 1, "NotSelected": 2, "FarTime": 1}


def test_no_name_is_left_in_a_log_of_pseudonyms() -> None:
    line = a_line(to="the account of alice", who="alice")
    (record,) = take(line)
    people = {name: Person(name, bytes([number] * 32)) for number, name in enumerate(sorted(names_in(record)))}

    stored = hidden(record, people)

    assert names_in(record) == {ALICE, "alice"}
    text = json.dumps({**stored.body, "metadata": {}})
    assert "alice" not in text
    assert record.block["detail"]["line"] not in text
    assert revealed(stored, {person.pseudonym: person for person in people.values()}) == record
