"""Attribution and effects on what a real API server wrote: `tests/recorded/audit_events` made each call, step by step."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from curfew.audit.record import RoleRef
from curfew.core.activity.attribution import Attributed
from curfew.core.activity.call import Call
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.formats.reading import OLDEST, read_lines
from tests.recorded.audit_events.people import AGENT, WORK
from tests.support.activity import AMonitor, announced, ended, whole
from tests.support.ocsf import validate

LOG: Final = Path(__file__).parents[3] / "recorded" / "audit_events" / "log.jsonl"
UID: Final = "6e1c1b0e-4c6a-4a51-9a57-0c3f5cf3a001"

EXPECTED: Final = """
get                        Binding Read
get-missing                Binding Failed
list                       Binding Read
list-one-by-field          Binding Read Secrets
list-all-namespaces-refused -
watch                      Binding Read
watch-old-path             Binding Read
watch-closed               Binding Read
get-odd-name               Person Denied
get-namespace              Binding Read
logs                       Binding Read
logs-follow                Binding Read
head                       Binding Failed
version                    -
no-such-path               -
discovery                  -
ask-for-rights             -
who-am-i                   -
create                     Binding Changed
create-again               Binding Failed
create-with-uid            Binding Changed
create-generated           Binding Changed
delete-generated           Binding Changed
create-invalid             Binding Failed
create-not-json            Binding Failed
create-in-no-namespace     -
update                     Binding Changed
update-missing             Binding Failed
patch                      Binding Changed
create-two                 Binding Changed
apply                      Binding Changed
update-other-uid           Binding Failed
delete                     Binding Changed
delete-missing             Binding Failed
create-some                Binding Changed
create-others              Binding Changed
create-kept                Binding Changed
delete-all-but-one         Binding Unsure
delete-all-is-gone         Binding Read
delete-all                 Binding Changed
create-deployment          Binding Changed
scale                      Binding Changed
status                     Binding Changed
create-pod                 Binding Changed
evict                      Binding Changed
refused-by-rbac            -
refused-by-policy          Binding Denied
refused-as-escalation      Binding Denied RBAC
wrong-token                -
anonymous                  -
dry-create                 Binding DryRun
dry-delete                 Binding Unsure
dry-delete-in-body         Binding Changed
dry-evict-in-body          Binding Changed
dry-in-other-words         Binding Changed
dry-unknown                Binding Failed
dry-token                  Binding Changed TokenRequest
dry-but-body               Binding Unsure
dry-but-body-is-gone       Binding Failed
dry-but-body-all           Binding Unsure
as-bob                     -
as-nobody                  -
as-group                   -
as-bob-extra-refused       Person Denied
as-bob-refused             -
as-bob-constrained         -
as-account-refused         -
create-account             Binding Changed
token                      Binding Changed TokenRequest
with-token                 Token Read
with-token-refused         Token Denied
create-pod-of-account      Binding Changed
token-of-pod               Binding Changed TokenRequest
with-token-of-pod          Token Read
token-refused              -
exec-waiting               Binding Failed Exec
exec-missing               Binding Failed Exec
exec-no-upgrade            Binding Failed Exec
exec-dry                   Binding Failed Exec
exec-refused               -
exec                       Binding Opaque Exec
exec-websocket             Binding Opaque Exec
attach                     Binding Opaque Attach
port-forward               Binding Opaque PortForward
pod-proxy                  Binding Opaque Proxy
node-proxy                 -
quoted-user                -
quoted-user-refused        -
strange-user               -
group                      -
two-bindings               -
create-for-id              Binding Changed
id-get                     Binding Read
id-delete                  Binding Changed
id-strange                 Binding Failed
uri-long                   Binding Failed
forwarded                  Binding Failed
"""
"""For each step: how its calls are tied to the grant, their effect and their kind; or that they are nobody's."""


def recorded() -> list[Call]:
    """Return the calls, as of the day when they were recorded."""
    events = read_lines(LOG.read_bytes(), Form.KUBERNETES, now=datetime.fromisoformat("2026-11-30T12:00:00Z"))
    assert timedelta(hours=12) < OLDEST
    return events.calls


CALLS: Final = recorded()
BEGIN: Final = min(call.received_at for call in CALLS) - timedelta(seconds=1)
FINISH: Final = max(call.at for call in CALLS) + timedelta(seconds=1)
COVERED: Final = whole(BEGIN - timedelta(seconds=1), FINISH)


def steps() -> dict[str, list[Call]]:
    """Return the calls of each step."""
    found: dict[str, list[Call]] = {}
    for call in CALLS:
        found.setdefault(str(call.user_agent).removeprefix(AGENT), []).append(call)
    return found


def a_monitor() -> AMonitor:
    """Return a monitor that knows the grant under which most of the calls were made."""
    role = RoleRef("ClusterRole", "work", "role-uid", "5e" * 32)
    grant = announced(UID, at=BEGIN, namespace="team-a", rules=WORK, role=role)
    return AMonitor(trail=[grant, ended(UID, at=FINISH)])


def outcomes() -> dict[str, str]:
    """Return, for each step, what the table above has for it."""
    monitor, told = a_monitor(), {}
    for step, calls in steps().items():
        found = [one for one in monitor.arrives(*calls) if isinstance(one, Attributed)]
        words = {f"{one.how} {one.effect} {one.record.block['detail'].get('sensitive', '')}".strip() for one in found}
        told[step] = ", ".join(sorted(words)) or "-"
    return told


@pytest.mark.parametrize("line", EXPECTED.strip().splitlines(), ids=lambda line: line.split()[0])
def test_what_a_real_call_did_is_seen(line: str, outcome_of: dict[str, str]) -> None:
    step, _, expected = line.partition(" ")

    assert outcome_of[step] == expected.strip()


@pytest.fixture(scope="module")
def outcome_of() -> dict[str, str]:
    """Return the outcome of each step, computed once."""
    return outcomes()


def test_a_change_that_was_answered_with_a_timeout_may_have_happened(outcome_of: dict[str, str]) -> None:
    late = {step: told for step, told in outcome_of.items() if step.startswith("timed-out-") and "found" not in step}

    assert late
    assert set(late.values()) == {"Binding Unsure"}


def test_a_binding_of_the_same_name_in_another_namespace_is_alarmed(outcome_of: dict[str, str]) -> None:
    monitor = a_monitor()

    monitor.arrives(*steps()["refused-by-pod-security"])

    assert monitor.events() == ["alert.binding_name_reused"]


def test_each_record_is_an_ocsf_event_with_the_details_of_the_catalogue() -> None:
    monitor = a_monitor()

    monitor.arrives(*CALLS)

    for record in monitor.log.values():
        validate(record)


def test_the_verdict_on_all_of_it() -> None:
    monitor = a_monitor()

    verdict = monitor.verdict(*CALLS, uid=UID, coverage=[COVERED], now=FINISH)

    assert verdict.changes == "Yes"
    assert verdict.final
    assert set(verdict.sensitive) == {"Attach", "Exec", "PortForward", "Proxy", "Secrets", "TokenRequest"}
    assert "left one deployment and 2 pods behind" in verdict.summary
    assert verdict.derived == 3


def test_only_its_reading_steps_are_a_no() -> None:
    monitor = a_monitor()
    reading = [
        call for step in ("get", "list", "watch", "logs", "get-missing", "refused-by-policy") for call in steps()[step]
    ]

    verdict = monitor.verdict(*reading, uid=UID, coverage=[COVERED], now=FINISH)

    assert (verdict.changes, verdict.final, verdict.reasons) == ("No", True, ())


@pytest.mark.parametrize(
    "step", ["exec", "exec-websocket", "pod-proxy", "dry-but-body", "delete-all-but-one", "dry-delete"]
)
def test_a_step_that_hides_a_change_is_never_a_no(step: str) -> None:
    verdict = a_monitor().verdict(*steps()[step], uid=UID, coverage=[COVERED], now=FINISH)

    assert verdict.changes == "Unknown"
    assert verdict.reasons


def test_the_events_in_any_order_give_the_same_counts() -> None:
    forwards, backwards = a_monitor(), a_monitor()

    told = forwards.verdict(*CALLS, uid=UID, coverage=[COVERED], now=FINISH)

    assert backwards.verdict(*reversed(CALLS), uid=UID, coverage=[COVERED], now=FINISH) == told
