"""Lines of a system that is not Kubernetes, the mapping for them, and the sessions that they may belong to."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.session import Session
from tests.support.builders import ALICE, NOON

UID: Final = "6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"

LEDGER: Final = LineMapping.model_validate(
    {
        "system": "ledger",
        "time": {"field": "at"},
        "person": "who",
        "names": {"alice": ALICE},
        "action": "did",
        "object": "to",
        "outcome": {"field": "ended", "success": ["ok"], "failure": ["refused", 500]},
        "grant": ["grant", {"field": "who", "pattern": "^for-(?P<value>.+)$"}],
        "ticket": "ticket",
        "correlation": "trace[0].id",
        "address": "source",
        "only": {"kind": ["call", True]},
    }
)


def a_line(*, at: datetime = NOON + timedelta(minutes=5), **changes: Any) -> bytes:
    """Return a line of the ledger; a change of None leaves the field out."""
    told = {
        "at": at.isoformat(),
        "kind": "call",
        "who": "alice",
        "did": "transfer",
        "to": "account 7",
        "ended": "ok",
        **changes,
    }
    return json.dumps({key: value for key, value in told.items() if value is not None}).encode()


def a_session(uid: str = UID, *, minutes: float = 60, begins: datetime = NOON, **changes: Any) -> Session:
    """Return a session of alice from noon for an hour, for INC-4711."""
    told = {
        "uid": uid,
        "namespace": "payments",
        "request": "inc-4711",
        "requester": ALICE,
        "binding": f"curfew-{uid}",
        "announced_at": begins,
        "expires_at": begins + timedelta(minutes=minutes),
        "ticket": "INC-4711",
    }
    return Session(**{**told, **changes})
