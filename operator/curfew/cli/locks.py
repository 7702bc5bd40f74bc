"""`curfew locks`: what is locked now, by whom, since when and why."""

import json
from datetime import datetime

import click

from curfew.adapters.clock import SystemClock
from curfew.api.access_lock import AccessLock
from curfew.audit.wording import count, duration, in_utc, printable
from curfew.cli import locking
from curfew.cli.kubectl import Kubectl, KubectlFailed, kubectl_options
from curfew.core.locks import is_over


@click.command("locks")
@click.option("--output", "-o", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
@kubectl_options
def locks(output: str, context: str, kubeconfig: str) -> None:
    """List all locks: what is locked, by whom, since when, until when, why, and how many grants each has ended.

    \b
    Exit code 0: they are listed, or there is none.
              1: they could not be read.
    """  # noqa: D301  click's mark for lines that stay as they are
    kubectl = Kubectl(context, kubeconfig)
    try:
        if output == "json":
            click.echo(json.dumps(kubectl.read(["get", locking.KIND]), indent=2))
            return
        found = locking.read_locks(kubectl)
    except KubectlFailed as error:
        raise click.ClickException(str(error)) from None
    if not found:
        click.echo("Nothing is locked.")
    for one in found:
        click.echo(_shown(one, SystemClock().now()))


def _shown(lock: AccessLock | locking.UnreadableLock, now: datetime) -> str:
    """Return the lines about one lock."""
    if not isinstance(lock, AccessLock):
        return f"{printable(lock.name)}\n  this version cannot read it; while it is there, Curfew grants nothing"
    meta, spec = lock.metadata, lock.spec
    made = meta.creation_timestamp
    age = f", {duration(now.replace(microsecond=0) - made)} ago" if made is not None and made <= now else ""
    until = f"until {in_utc(spec.ends_at)}" if spec.ends_at is not None else "until it is lifted"
    if is_over(lock, now):
        state = "it has ended, and can be deleted"
    elif locking.is_in_force(lock):
        state = "in force"
    else:
        state = "NOT KNOWN TO BE IN FORCE: check that the operator runs"
    return (
        f"{printable(meta.name)}: {locking.what(lock)}, {until}\n"
        f"  {state}; {count(lock.status.grants_ended or 0, 'grant')} ended\n"
        f"  by {printable(spec.submitted_by)}{age}: {printable(spec.reason)}"
    )
