"""The answer to a request that the API server accepted and that Curfew cannot read (promise P11).

It uses only two parts of the raw object: the phase, and the metadata, which the API server itself validates.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from curfew.api.access_request import Phase
from curfew.api.names import API_VERSION
from curfew.api.times import format_time
from curfew.core import conditions, lifecycle
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice, Regarding
from curfew.core.reasons import Reason

LONGEST = 800
"""Characters kept of the problems of an object: enough for some ten fields, and short enough for an Event."""


def answer(body: Mapping[str, Any], problems: str, *, now: datetime) -> tuple[dict[str, Any], Notice] | None:
    """Return the status that ends the request and the Event about it, or None if the request is over already."""
    meta, phase = body["metadata"], _phase(body)
    if phase in lifecycle.FINAL:
        return None
    event = {None: Event.REJECT, Phase.ACTIVE: Event.REVOKE}.get(phase, Event.FAIL)
    message = f"Curfew cannot read this request: {problems[:LONGEST]}; apply a new AccessRequest that corrects this"
    reason, generation = str(Reason.REQUEST_UNREADABLE), int(meta.get("generation", 0))
    observed = (
        conditions.Observation(conditions.READY, False, reason, message),
        conditions.Observation(conditions.APPROVED, False, reason, message),
        conditions.Observation(conditions.ACTIVE, False, reason, "no access is left"),
    )
    status = {
        "phase": str(lifecycle.advance(phase, event)),
        "observedGeneration": generation,
        "endedAt": format_time(now),
        "endReason": reason,
        "conditions": conditions.update((), observed, now=now, generation=generation),
    }
    regarding = Regarding(API_VERSION, "AccessRequest", meta["name"], meta["namespace"], meta["uid"])
    note = f"request {meta['name']} is refused: {message}"
    return status, Notice(
        meta["namespace"], regarding, "Warning", reason, "Read", note[:1024], f"{meta['uid']}/unreadable"
    )


def _phase(body: Mapping[str, Any]) -> Phase | None:
    """Return the phase of a raw object. An unknown word counts as no phase: the API server then decides."""
    try:
        return Phase(body["status"]["phase"])
    except (KeyError, TypeError, ValueError):
        return None
