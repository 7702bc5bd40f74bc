"""`curfew alerts list`: the alerts of a log of activity, and what became of each."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.alerts.reading import location_options, open_logs, read_history
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked
from curfew.cli.audit.console import show_row
from curfew.cli.audit.query_options import TIMES, read_times
from curfew.cli.audit.reading import unreadable
from curfew.core.detectors.alert import Severity
from curfew.core.detectors.history import AlertState, KnownAlert

_ROWS = 200  # of the table, unless --limit is given
_SEVERITIES = [severity.name.capitalize() for severity in Severity]


@click.command("list", short_help="List alerts, and what became of them.", epilog=TIMES)
@options.location
@click.option("--open", "is_open", is_flag=True, help="Only alerts that nothing and nobody has resolved.")
@click.option("--detector", multiple=True, metavar="NAME", help="Only alerts of this detector. Can be repeated.")
@click.option("--person", metavar="NAME", help="Only alerts about this person.")
@click.option("--namespace", metavar="NAME", help="Only alerts about this namespace.")
@click.option(
    "--severity",
    type=click.Choice(_SEVERITIES, case_sensitive=False),
    help="Only alerts that are at least this serious.",
)
@click.option("--since", metavar="TIME", help="Only alerts from this time on.")
@click.option("--until", metavar="TIME", help="Only alerts up to this time.")
@click.option(
    "--limit", type=click.IntRange(0), metavar="N", help="Only the newest N; 0 shows all. Default for a table: 200."
)
@location_options
@options.output
def listed(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    *,
    is_open: bool,
    detector: Sequence[str],
    person: str | None,
    namespace: str | None,
    severity: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    output: str,
    people: str | None,
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
) -> None:
    """List the alerts of the monitor, and what became of each: Open, Silenced or Resolved.

    LOCATION is the bucket (s3://BUCKET/PREFIX, gs://…, az://…) or folder with both logs. The log of activity is verified
    while it is read.

    \b
    Examples:
      curfew alerts list s3://acme-access-log/prod --open
      curfew alerts list s3://acme-access-log/prod --since yesterday --severity high
      curfew alerts list ./copy --detector ManyRequests -o json | jq -r '.[].message'

    \b
    Exit code 0: the log verifies; the alerts are shown, if there are any.
              1: it does not; alerts from before the first bad place are shown.
              2: the command was wrong; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    span = read_times({"since": since, "until": until, "period": None}, SystemClock().now())
    least = Severity[severity.upper()] if severity else Severity.LOW
    asked = Asked(location, log, key, key_file, activity_log, activity_at, activity_key)

    def is_wanted(one: KnownAlert) -> bool:
        alert = one.alert
        return (
            (not is_open or one.state is not AlertState.RESOLVED)
            and (not detector or alert.detector in detector)
            and (person is None or person in alert.people)
            and (namespace is None or namespace == alert.namespace)
            and alert.severity >= least
            and alert.at in span
        )

    with unreadable():
        both, logs = asyncio.run(open_logs(asked, people))
        history, refused = asyncio.run(read_history(logs[-1]))
    wanted = [one for one in history.all() if is_wanted(one)]
    most = limit if limit is not None else _ROWS if output == "table" else 0
    shown = wanted[-most:] if most else wanted
    if output == "json":
        click.echo(json.dumps([one.to_json() for one in shown], indent=2, ensure_ascii=False))
    else:
        _show(shown, len(wanted))
    both.note_keys()
    if refused is not None:
        raise refused


def _show(alerts: Sequence[KnownAlert], number: int) -> None:
    width = max((len(one.alert.detector) for one in alerts), default=0)
    for one in alerts:
        alert = one.alert
        severity = alert.severity.name.capitalize()
        head = f"{alert.at:%Y-%m-%d %H:%M:%S}  {alert.id}  {severity:<8}  {one.state:<8}  {alert.detector:<{width}}  "
        show_row(head, alert.message, "alert.raised" if one.state is AlertState.OPEN else "")
    if not number:
        click.echo("No such alerts.")
    elif number > len(alerts):
        click.echo(f"{number - len(alerts):,} older alerts not shown; --limit 0 shows all.", err=True)
    elif any(one.state is AlertState.OPEN for one in alerts):
        click.echo("curfew alerts show LOCATION ID shows the evidence of an alert.", err=True)
