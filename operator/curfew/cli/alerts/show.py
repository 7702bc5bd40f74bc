"""`curfew alerts show`: one alert, what it is based on, what became of it, and what to do next."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import click

from curfew.audit.wording import in_utc, printable
from curfew.cli.alerts.reading import id_argument, location_options, open_logs, read_at, read_history
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked
from curfew.cli.audit.console import show_row
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.finding import Found, SearchedLog
from curfew.cli.audit.reading import unreadable
from curfew.core.detectors.alert import WhichLog
from curfew.core.detectors.history import AlertHistory, AlertState, KnownAlert
from curfew.reader.errors import NotVerified

_LEAST = 6  # characters of an id


@click.command("show", short_help="Show an alert with its evidence.")
@options.location
@id_argument
@location_options
@options.output
def show(
    location: str,
    alert: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    *,
    output: str,
    people: str | None,
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
) -> None:
    """Show one alert: what was found, the records that show it, what became of it, and what to do.

    LOCATION is the bucket or folder with both logs; ID is the alert's, or its beginning, at least 6 characters. The logs are
    verified while they are read.

    \b
    Example:
      curfew alerts show s3://acme-access-log/prod 6f1b0a4c9d2e

    Exit codes are as those of `curfew alerts list`.
    """  # noqa: D301  click's mark for lines that stay as they are
    if len(alert) < _LEAST:
        raise click.UsageError(f"{alert} is too short for an id; give at least {_LEAST} characters of it.")
    asked = Asked(location, log, key, key_file, activity_log, activity_at, activity_key)
    with unreadable():
        both, logs = asyncio.run(open_logs(asked, people))
        history, refused = asyncio.run(read_history(logs[-1]))
        found = _find(history, alert)
        evidence, hidden = asyncio.run(_evidence(logs, found))
        refused = refused or hidden
    if output == "json":
        records = [{"log": one.log, "index": one.index, "record": dict(one.record.body)} for one in evidence]
        click.echo(json.dumps(found.to_json() | {"records": records}, indent=2, ensure_ascii=False))
    else:
        _show(found, evidence)
    both.note_keys()
    if refused is not None:
        raise refused


class _NotOne(click.ClickException):
    """There is no such alert, or there are several."""

    exit_code = USAGE


def _find(history: AlertHistory, id_: str) -> KnownAlert:
    found = [one for one in history.all() if one.alert.id.startswith(id_)]
    if not found:
        raise _NotOne(f"The log has no alert {printable(id_)}. `curfew alerts list` shows the alerts that there are.")
    if len(found) > 1:
        raise _NotOne(f"{len(found)} alerts begin with {printable(id_)}; give more of the id.")
    return found[0]


async def _evidence(logs: Sequence[SearchedLog], found: KnownAlert) -> tuple[list[Found], NotVerified | None]:
    """Return the records that an alert is based on, in the order of time, and why there are no more."""
    records: list[Found] = []
    refused: NotVerified | None = None
    for which, log in zip((WhichLog.TRAIL, WhichLog.ACTIVITY), logs, strict=True):
        indexes = frozenset(one.index for one in found.alert.evidence if one.log is which)
        if indexes:
            try:
                async with aclosing(read_at(log, indexes)) as there:
                    async for one in there:
                        records.append(one)  # noqa: PERF401  records from before an error count
            except NotVerified as error:
                refused = refused or error
    return sorted(records, key=lambda one: one.record.at), refused


def _show(found: KnownAlert, evidence: Sequence[Found]) -> None:
    alert, end, silence = found.alert, found.end, found.silence
    show_row("", alert.message, "alert.raised" if found.state is AlertState.OPEN else "")
    click.echo()
    rows = {
        "id": alert.id,
        "detector": alert.detector,
        "severity": alert.severity.name.capitalize(),
        "found": in_utc(alert.at),
        "about": ", ".join(alert.people),
        "namespace": alert.namespace,
        "policy": alert.policy,
        "request": alert.story.request if alert.story is not None else "",
        "counted": ", ".join(f"{name} {value}" for name, value in alert.values.items()),
        "state": str(found.state),
    }
    if end is not None:
        rows["resolved"] = f"{in_utc(end.at)}: {end.why}" + (f" ({end.reason})" if end.reason else "")
    if silence is not None:
        rows["silenced"] = f"by {silence.by} ({silence.name}): {silence.reason}"
    for name, value in rows.items():
        if value:
            show_row(f"  {name:<10}", value)
    if evidence:
        click.echo("\nIt is based on:")
    for one in evidence:
        show_row(
            f"  {one.log} {one.index:>7}  {one.record.at:%Y-%m-%d %H:%M:%S}  ", one.record.message, one.record.event
        )
    if found.state is not AlertState.RESOLVED:
        click.echo(f"\nWhat it means and what to do: docs/detectors/{printable(alert.detector)}.md")
        click.echo(f"To resolve it: curfew alerts resolve {alert.id} --reason '...'")
