"""`curfew alerts resolve`: a person closes an alert."""

import re

import click

from curfew.api.alert_response import ALERT_ID, ResponseAction
from curfew.audit.wording import printable
from curfew.cli.alerts.answering import create_response
from curfew.cli.alerts.reading import id_argument
from curfew.cli.kubectl import Kubectl, kubectl_options


@click.command("resolve", short_help="Resolve an alert, with a reason.")
@id_argument
@click.option("--reason", required=True, help="Why; it is recorded.")
@kubectl_options
def resolve(alert: str, reason: str, context: str, kubeconfig: str) -> None:
    """Resolve an alert: it has been looked at, and nothing is left to do.

    ID is the whole id, as `curfew alerts list` shows it. An AlertResponse is created with your own kubectl, and the monitor
    records who resolved the alert, and why. Nobody can resolve an alert about themselves.

    \b
    Example:
      curfew alerts resolve 6f1b0a4c9d2e4f5a8b7c6d5e4f3a2b1c --reason "she was on call, I have talked to her"

    Exit code 0: the AlertResponse is there. 1: kubectl or the API server refused. 2: the command was wrong.
    """  # noqa: D301  click's mark for lines that stay as they are
    if not re.fullmatch(ALERT_ID, alert):
        raise click.UsageError(f"{printable(alert)} is no whole id: it has 32 characters, 0 to 9 and a to f.")
    spec = {"action": ResponseAction.RESOLVE, "alert": alert, "reason": reason}
    name = create_response(Kubectl(context=context, kubeconfig=kubeconfig), "resolve", spec)
    click.echo(f"AlertResponse {name} resolves alert {alert}; the monitor records it within seconds.")
