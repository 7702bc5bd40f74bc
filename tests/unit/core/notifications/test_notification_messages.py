"""What people are told, and the commands they get: they can be pasted into a shell whatever the names in them are."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from curfew.api.access_request import DecisionKind
from curfew.audit.record import Record
from curfew.core.detectors.alert import Alert, Severity
from curfew.core.detectors.records import raised
from curfew.core.notifications.commands import WRITE_WHY, decide
from curfew.core.notifications.desk import Desk
from curfew.core.notifications.message import Occasion
from curfew.core.notifications.plain import MOST_CHARACTERS, line
from curfew.core.notifications.records import dropped, sent, settled
from curfew.core.notifications.requests import messages
from curfew.core.notifications.routing import Match
from curfew.core.notifications.told import SettledMessages
from tests.support.builders import ALICE, BOB, NOON
from tests.support.messages import UID, a_message, a_told_record, a_told_story

KUBECTL = """#!/bin/sh
if [ "$1" = auth ]; then printf %s bob@example.com; exit; fi
printf '%s\\0' "$@" > "$OUT"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a kubectl that knows bob, and writes down what it is asked to do."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    return tmp_path


def pasted(folder: Path, command: str, shell: str) -> list[str]:
    """Return what kubectl is asked to do if a command is pasted into a shell."""
    out = folder / "out"
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "OUT": str(out)}
    asked = [shell, "-c", command]
    done = subprocess.run(asked, env=environ, capture_output=True, text=True, check=True, cwd=folder)  # noqa: S603  ours
    assert (done.stdout, done.stderr) == ("", "")
    return out.read_text().split("\0")[:-1]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("stage", ["", "owners"])
def test_a_pasted_command_decides_this_request_in_the_callers_name(folder: Path, shell: str, stage: str) -> None:
    command = decide(a_told_story(), DecisionKind.APPROVE, stage=stage)
    assert command is not None

    *before, patch = pasted(folder, command.shell, shell)

    assert " ".join(before) == "patch accessrequest inc-4711 -n payments --subresource=status --type=json -p"
    value = {"by": BOB, "decision": "Approve", **({"stage": stage} if stage else {})}
    assert json.loads(patch) == [
        {"op": "test", "path": "/metadata/uid", "value": UID},
        {"op": "add", "path": "/status/decisions/-", "value": value},
    ]


HOSTILE = [
    "a'; touch x; '",
    "$(touch x)",
    "`touch x`",
    "a b",
    "a\ntouch x",
    "-x",
    "a;b",
    'a"b',
    "a/b",
    "..",
    "",
    "A",
    "a\\",
    "é",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_no_api_server_makes_gives_no_command(name: str) -> None:
    assert decide(a_told_story(request=name), DecisionKind.APPROVE) is None
    assert decide(a_told_story(namespace=name), DecisionKind.APPROVE) is None
    if name not in ("", "A"):
        assert decide(a_told_story(uid=name), DecisionKind.APPROVE) is None
    if name:
        assert decide(a_told_story(), DecisionKind.APPROVE, stage=name) is None


def test_the_longest_names_give_a_command(folder: Path) -> None:
    told = a_told_story(request="a" * 253, namespace="n" * 63)
    command = decide(told, DecisionKind.DENY)

    assert command is not None
    assert pasted(folder, command.shell, "sh")[2] == "a" * 253
    assert decide(a_told_story(request="a" * 254), DecisionKind.DENY) is None


def test_approvers_hear_who_wants_what_and_how_to_decide() -> None:
    detail = {"needed": 2, "stages": ["owners", "security"], "reason_length": 10, "risk": ["ReadsSecrets"]}
    message = a_message(detail=detail)

    assert message.topic is Occasion.REQUEST_PENDING
    assert message.title == f"Approval needed: {ALICE} asks for ClusterRole payments-debug in payments"
    facts = {fact.label: fact.value for fact in message.facts}
    assert facts["Risk"] == "ReadsSecrets"
    assert facts["Needed"] == "2 to agree, in the stages owners, security"
    assert facts["Reason"] == "payment workers crash-loop"
    assert facts["Decide by"] == "2026-11-23T13:00:00Z"
    assert [command.does for command in message.commands] == [
        "Approve for stage owners (write your reason)",
        "Deny for stage owners (write your reason)",
        "Approve for stage security (write your reason)",
        "Deny for stage security (write your reason)",
    ]
    assert all(WRITE_WHY in command.shell for command in message.commands)


def test_nobody_is_asked_to_approve_what_needs_no_approval() -> None:
    assert messages(a_told_record(detail={})) == ()


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        ("review.approved", Occasion.REQUEST_APPROVED),
        ("review.auto_approved", Occasion.REQUEST_APPROVED),
        ("review.denied", Occasion.REQUEST_CLOSED),
        ("request.rejected", Occasion.REQUEST_CLOSED),
        ("request.timed_out", Occasion.REQUEST_CLOSED),
        ("request.cancelled", Occasion.REQUEST_CLOSED),
        ("request.deleted", Occasion.REQUEST_CLOSED),
        ("grant.activation_failed", Occasion.REQUEST_CLOSED),
        ("grant.activated", Occasion.GRANT_ACTIVE),
        ("grant.expired", Occasion.GRANT_ENDED),
        ("grant.revoked", Occasion.GRANT_ENDED),
        ("grant.binding_removed", Occasion.GRANT_ENDED),
        ("review.break_glass_invoked", Occasion.GLASS_BROKEN),
        ("review.overdue", Occasion.REVIEW_OVERDUE),
    ],
)
def test_each_step_has_its_message(event: str, topic: Occasion) -> None:
    message = a_message(event, policy=None, role=None)  # as little as a record has

    assert (message.topic, message.person, message.namespace) == (topic, ALICE, "payments")


def test_the_others_hear_who_has_decided() -> None:
    (told,) = messages(a_told_record("review.submitted", actor=BOB, detail={"decision": "Deny", "reason": "no"}))

    assert told.title == f"Somebody has decided: {BOB} denied request inc-4711 of {ALICE}"
    assert messages(a_told_record("review.submitted", actor=ALICE, detail={"decision": "Cancel"})) == ()


def test_a_broken_glass_comes_with_the_command_to_review_it() -> None:
    message = a_message("review.break_glass_invoked")

    assert message.severity is Severity.HIGH
    assert '"decision":"Review"' in message.commands[0].shell


def test_the_holder_is_reminded_five_minutes_before_the_end_and_not_after_it() -> None:
    desk, until = Desk(), NOON + timedelta(hours=1)
    desk.learn(a_told_record("grant.activated", expires_at=until))
    desk.learn(a_told_record("grant.activated", uid="other", expires_at=until))
    desk.learn(a_told_record("grant.revoked", uid="other", expires_at=until))

    assert desk.due(until - timedelta(minutes=5, seconds=1)) == ()
    (reminder,) = desk.due(until - timedelta(minutes=5))
    assert (reminder.topic, reminder.subject) == (Occasion.GRANT_ENDING, UID)
    assert desk.due(until) == ()


def test_a_short_grant_has_no_reminder() -> None:
    desk = Desk()
    desk.learn(a_told_record("grant.activated", expires_at=NOON + timedelta(minutes=5)))

    assert desk.due(NOON + timedelta(hours=1)) == ()


@pytest.mark.parametrize("event", ["request.accepted", "grant.activated", "review.submitted", "grant.expired"])
@pytest.mark.parametrize(
    "block",
    [
        {},
        {"story": 1},
        {"story": {"uid": [], "namespace": {}, "request": None}},
        {"story": {"uid": "u", "namespace": "n", "request": "r", "expires_at": "0001-01-01T00:00:00Z"}, "detail": 1},
        {"story": {"uid": "u", "namespace": "n", "request": "r"}, "detail": {"needed": 1, "stages": 3, "decision": []}},
    ],
)
def test_a_record_that_cannot_be_read_is_not_told(event: str, block: dict[str, object]) -> None:
    body = {"message": "x", "time": 0, "unmapped": {"curfew": {"actor": "x", **block}}}

    assert all(message.subject == "u" for message in Desk().learn(Record("i", event, "s", body)))


# --- alerts -----------------------------------------------------------------------------------------------------------


def an_alert(silenced_by: str = "") -> Record:
    alert = Alert(
        detector="ManyRequests",
        key="k",
        at=NOON,
        severity=Severity.HIGH,
        title="Many requests",
        message=f"{ALICE} asked 4 times",
        trigger=None,
        people=(ALICE,),
        namespace="payments",
        policy="debug",
        values={"requests": 4},
    )
    return raised(alert, "main-activity", silenced_by=silenced_by)


def test_an_alert_names_what_was_found() -> None:
    (message,) = Desk().alert(an_alert())

    assert (message.topic, message.severity, message.detector) == (Occasion.ALERT, Severity.HIGH, "ManyRequests")
    assert message.title == "High: Many requests"
    assert ("requests", "4") in [(fact.label, fact.value) for fact in message.facts]


def test_a_silenced_alert_is_not_told() -> None:
    assert Desk().alert(an_alert(silenced_by="s")) == ()


# --- routes, and what was told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "takes"),
    [
        (Match(), True),
        (Match(topics=frozenset({Occasion.REQUEST_PENDING})), True),
        (Match(topics=frozenset({Occasion.ALERT})), False),
        (Match(namespaces=("pay*",)), True),
        (Match(namespaces=("pay",)), False),
        (Match(policies=("debug",)), True),
        (Match(policies=("other", "debu?")), True),
        (Match(severity=Severity.MEDIUM), True),
        (Match(severity=Severity.HIGH), False),
        (Match(detectors=("ManyRequests",)), False),
    ],
)
def test_a_route_takes_what_fits_all_of_it(match: Match, *, takes: bool) -> None:
    assert match.takes(a_message()) is takes


def test_what_the_log_shows_as_sent_or_given_up_is_settled() -> None:
    one, other = a_message(), a_message("grant.activated")
    told = SettledMessages()
    told.learn(sent("log", [one], route="r", number=0, channel="Slack", attempts=1, at=NOON))
    told.learn(dropped("log", [one, other], route="s", number=1, channel="JSON", attempts=3, why="Gone.", at=NOON))

    assert told.has(one.key, "r/0")
    assert not told.has(other.key, "r/0")
    assert told.has(one.key, "s/1")
    assert told.has(other.key, "s/1")


@pytest.mark.parametrize(
    "detail", [None, 1, {}, {"messages": 1, "route": "r", "number": 0}, {"messages": [1], "route": "r"}]
)
def test_a_record_of_something_else_settles_nothing(detail: object) -> None:
    body = {"message": "", "time": 0, "unmapped": {"curfew": {"detail": detail}}}

    assert settled(Record("i", "notification.sent", "s", body)) == ()


def test_a_value_is_one_bounded_line() -> None:
    assert line("a\r\nb\tc\x00\u202e\ud800") == "a b c\ufffd\ufffd\ufffd"
    assert len(line("x" * 10_000)) == MOST_CHARACTERS
    assert line("\N{PILE OF POO} é 中文") == "\N{PILE OF POO} é 中文"
