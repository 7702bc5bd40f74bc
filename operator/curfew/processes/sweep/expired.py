"""The sweeper: a separate process that runs for a moment and ends access that should already have ended.

It knows nothing about requests, policies, the log or what the operator remembers: it reads bindings and removes them. It
shares three things with the operator: the image, the client of the API server (`adapters/kube`) and the code that reads the
times on a binding. A defect in these affects both.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from curfew.api import names
from curfew.api.times import format_duration, format_time, parse_time
from curfew.ports import Clock, Cluster, ClusterError

_AT_ONCE = 16  # removals under way at any time
_SECOND = timedelta(seconds=1)


async def sweep_bindings(
    cluster: Cluster, clock: Clock, say: Callable[[str], None], *, dry_run: bool = False, everything: bool = False
) -> int:
    """Remove the bindings with an end that has passed or cannot be read, report each, and return how many are left.

    With `everything`, also those that are not over yet. Raise `ClusterError` if the bindings cannot be listed. A binding
    that cannot be removed does not hold up the others.
    """
    slots = asyncio.Semaphore(_AT_ONCE)
    done: Counter[str] = Counter()

    async def consider(binding: dict[str, Any]) -> None:
        async with slots:
            metadata = binding["metadata"]
            namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
            why = _why_over(binding, clock.now())
            if why is None and everything:
                why = f"would have ended at {binding['metadata']['annotations'][names.ANNOTATION_EXPIRES_AT]}"
            if why is None:
                done["not over yet"] += 1
                return
            outcome, detail = "would be removed", ""
            if not dry_run:
                try:
                    was_ours = await cluster.delete_binding(namespace, name, uid)
                    outcome = "removed" if was_ours else "gone already"
                except ClusterError as error:
                    outcome, detail = "could not be removed", f": {error}"
            done[outcome] += 1
            say(f"{namespace}/{name} {why}: {outcome}{detail}")

    bindings = await cluster.list_bindings()
    async with asyncio.TaskGroup() as group:
        for binding in bindings:
            group.create_task(consider(binding))
    say(", ".join(f"{count} {outcome}" for outcome, count in sorted(done.items())) or "There are no grants.")
    return done["could not be removed"]


def _why_over(binding: dict[str, Any], now: datetime) -> str | None:
    """Return in words for people why a binding has no right to exist any more, or None if it has."""
    said = (binding["metadata"].get("annotations") or {}).get(names.ANNOTATION_EXPIRES_AT)
    if said is None:
        return "does not state when it ends"
    try:
        end = parse_time(said)
    except ValueError:
        return f"states that it ends at {said!r}, which is not a time"
    if now < end:
        return None
    late = format_duration((now - end) // _SECOND * _SECOND)
    return f"ended at {format_time(end)}, {late} ago"
