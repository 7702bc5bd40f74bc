"""The records that an admission policy is not in force, and that all of them are again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.facts import EnforcementState

LOST: Final = "enforcement.lost"
RESTORED: Final = "enforcement.restored"


def told(log: str, state: EnforcementState, last: Record | None, *, at: datetime) -> Record | None:
    """Return the record of a state, or None if the log holds it, or if there is nothing to tell.

    `last` is the last of these records that the log holds, or that is on its way to it. `log` is the log's id.
    """
    if state.is_starting:
        return None
    is_lost = last is not None and last.event == LOST
    if state.ok:
        return restored(log, state, last, at=at) if last is not None and is_lost else None
    if last is not None and is_lost and _policies(last) == list(state.policies):
        return None
    if last is not None and is_lost:  # perhaps by another process: something has been wrong since then
        state = replace(state, since=min(state.since, _since(last)))
    return lost(log, state, at=at)


def lost(log: str, state: EnforcementState, *, at: datetime) -> Record:
    """Return the record of policies that are not in force."""
    return make_record(
        LOST,
        at=at,
        actor=CURFEW,
        message=state.message,
        subject=log,
        qualifier=f"{at.isoformat()}/{','.join(state.policies)}",
        success=False,
        detail={"policies": list(state.policies), "message": state.message, "since": format_time(state.since)},
    )


def restored(log: str, state: EnforcementState, last: Record, *, at: datetime) -> Record:
    """Return the record that all policies are in force again; `last` tells which were not."""
    since = _since(last)
    seconds = max(0, round((at - since).total_seconds()))
    return make_record(
        RESTORED,
        at=at,
        actor=CURFEW,
        message=f"{state.message} Something was wrong for {seconds} s.",
        subject=log,
        qualifier=at.isoformat(),
        detail={
            "policies": _policies(last),
            "message": state.message,
            "since": format_time(since),
            "seconds": seconds,
        },
    )


def _policies(record: Record) -> list[str]:
    detail = record.block.get("detail")
    policies = detail.get("policies") if isinstance(detail, Mapping) else None
    return [str(policy) for policy in policies] if isinstance(policies, list) else []


def _since(record: Record) -> datetime:
    """Return since when something is wrong, by the record that tells of it."""
    detail = record.block.get("detail")
    try:
        since = datetime.fromisoformat(str(detail["since"])) if isinstance(detail, Mapping) else record.at
    except (KeyError, ValueError):
        return record.at
    return since if since.tzinfo is not None else record.at
