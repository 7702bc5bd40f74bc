"""Ending every grant, for whoever takes Curfew away: afterwards nothing would end them.

First everything is locked: an operator that runs ends all grants, refuses what waits and records both. What it does not end
in time, or all if there is no operator, is removed as the sweeper removes what is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from curfew.api import names
from curfew.api.times import format_time
from curfew.audit.wording import count, printable
from curfew.ports import Clock, Cluster, ClusterError, Locker
from curfew.processes.sweep.expired import sweep_bindings

REASON: Final = "Curfew is being uninstalled"
LOCK_LASTS: Final = timedelta(minutes=10)
"""Longer than all waits here, and than a cluster needs to end the operators; then whoever installs again is not locked out."""

IN_FORCE_SECONDS: Final = 10.0
"""How long an operator may take to keep to the lock. A change of leaders takes that long."""

ENDING_SECONDS: Final = 20.0
"""How long an operator that keeps to the lock may take to end all grants."""

REMOVING_SECONDS: Final = 60.0
"""How long what is left is removed, again and again."""

RECORDING_SECONDS: Final = 60.0
"""How long an operator may take to record all ends."""

_PAUSE: Final = 0.5  # seconds between two looks
_SHOWN: Final = 10  # requests that are named

Say = Callable[[str], None]


async def end_all_grants(cluster: Cluster, locker: Locker, clock: Clock, say: Say) -> bool:
    """End every grant, report each, and return whether none is left. Raise `ClusterError` if grants cannot be listed."""
    bindings = await cluster.list_bindings()
    for binding in bindings:
        say(f"To end: {_grant(binding)}")
    operator_ends = await _lock(locker, clock, say)

    async def is_empty() -> bool:
        return not await cluster.list_bindings()

    if operator_ends and bindings:
        if await _until(is_empty, ENDING_SECONDS):
            say(f"The operator ended {count(len(bindings), 'grant')}.")
        else:
            say(f"The operator did not end all grants within {ENDING_SECONDS:.0f} s. What is left is removed.")

    async def has_removed_all() -> bool:
        await sweep_bindings(cluster, clock, say, everything=True)
        return await is_empty()

    if not await _until(is_empty, 0) and not await _until(has_removed_all, REMOVING_SECONDS):
        say("There are grants left: nothing is taken away, so that they end.")
        return False
    say("No grant is left.")
    if operator_ends:
        await _await_records(cluster, say)
    else:
        say("No operator keeps to the lock: the ends are recorded when Curfew is installed again with the same log.")
    return True


async def _lock(locker: Locker, clock: Clock, say: Say) -> bool:
    """Lock everything. Return whether an operator keeps to the lock."""
    ends_at = format_time((clock.now() + LOCK_LASTS).replace(microsecond=0))
    try:
        lock = await locker.lock_everything("uninstall-", REASON, ends_at)
    except ClusterError as error:
        say(f"Everything could not be locked: {error}. The grants are removed one by one.")
        return False
    say(f"AccessLock {printable(lock)}: nothing is granted until {ends_at}.")
    return await _until(lambda: locker.is_in_force(lock), IN_FORCE_SECONDS)


async def _await_records(cluster: Cluster, say: Say) -> None:
    """Wait until the story of each request is closed, and say what is left if that takes too long."""
    open_stories: list[dict[str, Any]] = []

    async def are_closed() -> bool:
        open_stories[:] = await cluster.list_requests()
        return not open_stories

    if await _until(are_closed, RECORDING_SECONDS):
        say("All ends are in the log.")
        return
    named = ", ".join(
        printable(f"{each['metadata']['namespace']}/{each['metadata']['name']}") for each in open_stories[:_SHOWN]
    )
    say(
        f"The log does not have the whole story of {count(len(open_stories), 'request')} yet: {named}. What it lacks is in "
        "their status, and is written when Curfew is installed again with the same log."
    )


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Look until a condition is met, at least once and for so many seconds. Return whether it was met.

    An API server that does not answer is asked again.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        with suppress(ClusterError):
            if await condition():
                return True
        if loop.time() >= end:
            return False
        await asyncio.sleep(_PAUSE)


def _grant(binding: dict[str, Any]) -> str:
    """Return the request, who has which role, and until when. A binding that no request owns is named itself."""
    meta = binding["metadata"]
    owners = (one.get("name") for one in meta.get("ownerReferences") or () if one.get("kind") == "AccessRequest")
    end = (meta.get("annotations") or {}).get(names.ANNOTATION_EXPIRES_AT, "a time that it does not state")
    people = ", ".join(str(one.get("name")) for one in binding.get("subjects") or ())
    role = binding.get("roleRef") or {}
    return printable(
        f"{meta['namespace']}/{next(owners, meta['name'])}: {people} as {role.get('kind')}/{role.get('name')} until {end}"
    )
