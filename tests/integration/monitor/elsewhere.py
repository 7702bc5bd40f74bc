"""Another cluster whose API server sends its events to the monitor of this one. They are those that were recorded."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from curfew.api.times import parse_time
from tests.integration.monitor.acting import Acting, Event
from tests.recorded import audit_events
from tests.recorded.audit_events.stage import ALICE, NAMESPACE

__all__ = ["ALICE", "NAMESPACE", "another_cluster_sends"]

LOG: Final = Path(audit_events.__file__).parent / "log.jsonl"
TIMES: Final = ("requestReceivedTimestamp", "stageTimestamp")


async def another_cluster_sends(acting: Acting) -> None:
    """Send what was recorded on another cluster as if it had happened just now."""
    events: list[Event] = [json.loads(line) for line in LOG.read_text().splitlines()]
    events = [event for event in events if event["stage"] != "RequestReceived"]
    last = max(parse_time(event["stageTimestamp"]) for event in events)
    ago = datetime.now(UTC) - last
    for event in events:
        event |= {name: _later(event[name], ago) for name in TIMES}
    assert await acting.desk.send(events) == 200


def _later(time: str, by: timedelta) -> str:
    return f"{parse_time(time) + by:%Y-%m-%dT%H:%M:%S.%fZ}"
