"""`kubectl curfew watch`: one line for each change of a request, until Ctrl-C."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import REQUESTS, ClusterAccess, cluster_options, failed, object_name
from curfew.cli.requests.names import policy_names
from curfew.cli.requests.output import say
from curfew.core.guidance.changes import changes
from curfew.core.guidance.objects import ShownRequest, read_request

Seen = dict[tuple[str, str], ShownRequest]
"""What was seen of each request, by namespace and name."""


@click.command("watch")
@click.argument("policy", required=False, shell_complete=policy_names)
@click.option("--timeout", type=click.FloatRange(min=0.001), metavar="SECONDS", help="End after so many seconds.")
@cluster_options(many=True)
def watch(policy: str | None, *, timeout: float | None, all_namespaces: bool, access: ClusterAccess) -> None:
    """Print a line for each change of a request, until Ctrl-C. It begins with the requests that are open now.

    POLICY shows only requests for that policy.
    """
    selector = [f"--field-selector=spec.policyName={object_name(policy)}"] if policy else []
    where = ["--all-namespaces"] if all_namespaces else access.within()
    arguments = ["get", REQUESTS, *where, *selector, "--output-watch-events"]
    clock = SystemClock()
    ends_at = clock.monotonic() + timeout if timeout is not None else None
    seen: Seen = {}
    try:
        while (left := ends_at - clock.monotonic() if ends_at is not None else None) is None or left > 0:
            # The API server ends a watch after a while; the next one begins with all requests, of which most are known.
            for event in access.kubectl.follow(arguments, seconds=left):
                now = clock.now()
                for line in _lines(seen, event, now):
                    say(f"{now:%H:%M:%S} UTC  {line}")
    except KubectlFailed as error:
        raise failed(error) from None


def _lines(seen: Seen, event: Any, now: datetime) -> Iterator[str]:
    """Yield what an event of the watch changes, and remember the request."""
    if not isinstance(event, Mapping):
        return
    request = read_request(event.get("object"))
    if not request.name:
        return
    key = (request.namespace, request.name)
    before = seen.get(key)
    called = f"{request.namespace}/{request.name}"
    if event.get("type") == "DELETED":
        if seen.pop(key, request).is_open:
            yield f"{called}  was deleted"
        return
    seen[key] = request
    for change in changes(before, request, now):
        yield f"{called}  {change}"
