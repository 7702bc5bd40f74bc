"""`kubectl curfew show`: one request, and its story as its status tells it."""

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import REQUESTS, ClusterAccess, cluster_options, failed, object_name
from curfew.cli.requests.listed import OUTPUTS
from curfew.cli.requests.names import request_names
from curfew.cli.requests.output import labelled, say
from curfew.cli.requests.telling import tell_request
from curfew.core.guidance.changes import why_over
from curfew.core.guidance.next_steps import next_step
from curfew.core.guidance.story import story
from curfew.core.guidance.times import both_ways


@click.command("show")
@click.argument("name", shell_complete=request_names)
@click.option("-o", "--output", type=OUTPUTS, help="As kubectl writes the object, for programs.")
@cluster_options()
def show(name: str, output: str | None, access: ClusterAccess) -> None:
    """Show the request NAME: who asks for what, what has happened, and what to do next."""
    try:
        if output:
            asked = ["get", REQUESTS, object_name(name), *access.within(), f"--output={output}"]
            click.echo(access.kubectl.run(asked), nl=False)
            return
        found = access.request(name)
    except KubectlFailed as error:
        raise failed(error) from None
    now = SystemClock().now()
    tell_request(found, now)
    if found.changes:
        labelled("Changes", f"{found.changes}: {found.activity}" if found.activity else found.changes)
    say()
    for at, happened in story(found):
        say(f"{both_ways(at, now) if at is not None else '-':<32}  {happened}")
    say()
    if why := why_over(found) if not found.is_open else "":
        say(f"Why:  {why}")
    say(f"Next: {next_step(found)}")
