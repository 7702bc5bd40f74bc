"""The records that an admission policy is not in force, and that all of them are again."""

from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.facts import EnforcementState


def lost(log: str, state: EnforcementState) -> Record:
    """Return the record of policies that are not in force. `log` is the id of the operator's log."""
    return make_record(
        "enforcement.lost",
        at=state.since,
        actor=CURFEW,
        message=state.message,
        subject=log,
        qualifier=f"{state.since.isoformat()}/{','.join(state.policies)}",  # others may be lost later
        success=False,
        detail={"policies": list(state.policies), "message": state.message, "since": format_time(state.since)},
    )


def restored(log: str, state: EnforcementState, before: EnforcementState) -> Record:
    """Return the record that all policies are in force again; `before` is the state in which they were not."""
    seconds = max(0, round((state.since - before.since).total_seconds()))
    return make_record(
        "enforcement.restored",
        at=state.since,
        actor=CURFEW,
        message=f"{state.message} Something was wrong for {seconds} s.",
        subject=log,
        qualifier=state.since.isoformat(),
        detail={
            "policies": list(before.policies),
            "message": state.message,
            "since": format_time(before.since),
            "seconds": seconds,
        },
    )
