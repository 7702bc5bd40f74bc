"""Waiting for a request: until its access is there, or it is over."""

import shlex
from typing import Final

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import REQUESTS, ClusterAccess
from curfew.cli.requests.output import say
from curfew.core.guidance.changes import why_over
from curfew.core.guidance.next_steps import command, next_step
from curfew.core.guidance.objects import ShownRequest, read_request
from curfew.core.guidance.times import both_ways
from curfew.core.guidance.waiting import due, waits_for

NOT_GRANTED: Final = 3
"""Exit code: the request is over, and no access was granted."""

NOT_DECIDED: Final = 4
"""Exit code: it is not decided within --timeout."""


def wait_for(access: ClusterAccess, request: ShownRequest, seconds: float | None) -> None:
    """Return when the access of a request is there. End with `NOT_GRANTED` or, after `seconds`, `NOT_DECIDED`."""
    clock = SystemClock()
    ends_at = clock.monotonic() + seconds if seconds is not None else None
    told = ""
    while True:  # the API server ends a watch after a while
        left = ends_at - clock.monotonic() if ends_at is not None else None
        if left is not None and left <= 0:
            say(f"It is not decided yet; it waits on. See it with: {command('show', request)}")
            raise click.exceptions.Exit(NOT_DECIDED)
        for body in access.kubectl.follow(
            ["get", REQUESTS, request.name, *access.within(request.namespace)], seconds=left
        ):
            now = read_request(body)
            if now.uid != request.uid or is_deleted(body):
                raise KubectlFailed(f"request {request.name} was deleted while it waited; ask again")
            if now.phase == "Active" or not now.is_open:
                _tell_end(now)
                return
            waits = f"Waits for {waits_for(now)}; {due(now, clock.now())}."
            if waits_for(now) != told and now.phase:
                say(waits)
                told = waits_for(now)


def is_deleted(body: object) -> bool:
    """Whether an object is on its way out."""
    meta = body.get("metadata") if isinstance(body, dict) else None
    return isinstance(meta, dict) and bool(meta.get("deletionTimestamp"))


def _tell_end(request: ShownRequest) -> None:
    """Print what became of a request, and end with an exit code if it is no access."""
    if request.phase == "Active":
        ends = f" It ends {both_ways(request.expires_at, SystemClock().now())}." if request.expires_at else ""
        say(f"Granted: {request.requester} has {request.role} in namespace {request.namespace}.{ends}")
        say(f"Next: kubectl auth can-i --list -n {shlex.quote(request.namespace)}")
        say(f"Give it back when you are done: {command('cancel', request)}")
        return
    say(f"{request.phase}: {why_over(request)}")
    say(f"Next: {next_step(request)}")
    if not request.granted_at:
        raise click.exceptions.Exit(NOT_GRANTED)
