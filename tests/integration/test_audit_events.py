"""What the API server of today writes of each call is what was recorded, so tests on the recording are tests on it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from curfew.core.activity.call import Call
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.formats.reading import Events, read_event_list, read_lines
from curfew.core.activity.reason import parse
from tests.recorded.audit_events.record import record
from tests.support.audit_events import read_recorded

STEPS_BY_CHANCE = "recording/timed-out"


def shape(call: Call) -> tuple[object, ...]:
    """Return what is the same of a call each time it is made."""
    name = re.sub(r"^made-\w{5}$", "made-", call.name)
    reason = parse(call.reason or "")
    # Of several ClusterRoleBindings, RBAC names any.
    allowed_by = reason if reason is None or reason.binding_kind == "RoleBinding" else reason.binding_kind
    return (
        *(call.user_agent, call.stage, call.verb, call.group, call.version, call.resource, call.subresource),
        *(call.namespace, name, call.code, call.caller.name, call.caller.groups, call.impersonated),
        *(call.decision, allowed_by, call.dry_run, bool(call.uid), len(call.audit_id), len(call.source_addresses)),
        *(str(call.caller.credential).split("=")[0], str(call.issued_credential).split("=")[0]),
        call.caller.pod is not None,
    )


def shapes(calls: Iterable[Call]) -> set[tuple[object, ...]]:
    """Return what is the same of calls each time, of those steps that go the same way each time."""
    return {shape(call) for call in calls if not (call.user_agent or "").startswith(STEPS_BY_CHANCE)}


def test_the_api_server_writes_what_was_recorded(tmp_path: Path) -> None:
    lines, bodies = record(tmp_path)
    now = datetime.now(UTC)

    fresh = read_lines(b"".join(lines), Form.KUBERNETES, now=now)

    assert shapes(fresh.calls) == shapes(read_recorded().calls)
    assert now - max(call.at for call in fresh.calls) < timedelta(minutes=1)
    sent = [read_event_list(body, now=now) for body in bodies]
    assert sent
    assert known(sent) <= set(fresh.calls)


def known(sent: Iterable[Events]) -> set[Call]:
    """Return the calls that the webhook was told of, but those that set the stage."""
    return {call for events in sent for call in events.calls if (call.user_agent or "").startswith("recording/")}
