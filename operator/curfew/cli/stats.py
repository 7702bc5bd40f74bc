"""`curfew stats`: how long requests wait and for what, who is asked, and what of the granted access is used."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.wording import count, duration, in_utc, printable
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked, BothLogs, LogPlace, activity_options, open_both
from curfew.cli.audit.finding import SearchedLog
from curfew.cli.audit.group import ReadingCommand
from curfew.cli.audit.query_options import TIMES, read_times
from curfew.cli.audit.reading import known_people, note, read_anchors, unreadable
from curfew.cli.stats_reading import check_anchors, read_stats
from curfew.evidence.stats.figures import RequestStats
from curfew.evidence.stats.table import MOST_ROWS, CellKind, StatsTable, percent
from curfew.evidence.stats.times import local

_LONGEST_NAME = 44  # characters of a name in a table


def _zone(_: click.Context, __: click.Parameter, value: str) -> tzinfo:
    try:
        return UTC if value == "UTC" else ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"There is no time zone {value}. Give one such as Europe/Berlin or UTC.") from error


@click.command("stats", cls=ReadingCommand, short_help="Show how long requests wait, and for what.", epilog=TIMES)
@options.location
@click.option("--since", metavar="TIME", help="Only requests made from this time on.")
@click.option("--until", metavar="TIME", help="Only requests made up to this time.")
@click.option("--period", metavar="SPAN", help='Only requests made in this period: "last quarter", 2026-Q3.')
@click.option(
    "--tz",
    "zone",
    default="UTC",
    show_default=True,
    callback=_zone,
    metavar="ZONE",
    help="The time zone of hours and weekdays, such as Europe/Berlin.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, 10_000),
    default=MOST_ROWS,
    show_default=True,
    metavar="N",
    help="The most rows of a table; one more row has the sum of the others.",
)
@options.log
@options.key
@options.key_file
@options.anchors
@activity_options
@options.people
@click.option("--no-index", is_flag=True, help="Read both logs whole, even if there is an index.")
@options.output
def stats(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    anchors: tuple[str, ...],
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
    *,
    since: str | None,
    until: str | None,
    period: str | None,
    zone: tzinfo,
    rows: int,
    people: str | None,
    no_index: bool,
    output: str,
) -> None:
    """Show how long requests wait and for what, where they time out, who is asked, and what of the access is used.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. The trail is verified while it is read, and so
    is the log of activity, if `curfew monitor` writes one. A request belongs to the period in which it was made.

    Each wait is split into four parts that add up to it: nobody had looked; others had still to agree; the record or
    Curfew's rules; the start that was asked for.

    \b
    Examples:
      curfew stats s3://acme-access-log/prod --period "last quarter" --tz Europe/Berlin
      curfew stats ./copy --since 2026-11-01 -o json | jq '.by_policy.rows[0]'

    \b
    Exit code 0: the logs verify, and the statistics are shown.
              1: a log does not verify; nothing is shown.
              2: the command was wrong; the message shows why.
              3: a log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    span = read_times({"period": period, "since": since, "until": until}, SystemClock().now())
    kept = [one for anchor in anchors for one in read_anchors(anchor, log)]
    asked = Asked(location, log, key, key_file, activity_log, activity_at, activity_key)

    async def read() -> tuple[BothLogs, RequestStats]:
        both = await open_both(asked)
        known = await known_people(people)

        def searched(place: LogPlace) -> SearchedLog:
            return SearchedLog(place.store, place.log, place.given, known, has_index=not no_index)

        if kept:
            await check_anchors(searched(both.trail), kept)
        activity = searched(both.activity) if both.activity is not None else None
        return both, await read_stats(searched(both.trail), activity, span, zone)

    with unreadable():
        both, found = asyncio.run(read())
    if output == "json":
        click.echo(json.dumps(found.to_json(rows), indent=2, ensure_ascii=False))
    else:
        for line in _lines(found, rows):
            click.echo(printable(line).rstrip())
        if both.activity is None:
            note("Note: There is no log of activity, so nothing is known of what was done with the access.")
    both.note_keys()


def _lines(found: RequestStats, rows: int) -> Iterator[str]:
    """Yield the statistics for people."""
    if not found.journeys:
        yield "No requests."
        return
    yield from _summary(found)
    for table in found.tables(rows):
        yield ""
        yield table.title
        if table.about:
            yield f"  {table.about}"
        yield from _rows(table)


def _summary(found: RequestStats) -> Iterator[str]:
    ends = ", ".join(f"{number:,} {outcome}" for outcome, number in found.outcomes.most_common())
    times = [at for at in (found.journeys[0].created, found.as_of) if at]
    yield f"{count(len(found.journeys), 'request')}: {ends}."
    yield f"From {in_utc(local(times[0], UTC))}; read up to {in_utc(local(times[-1], UTC))}."
    alone, needed = len(found.unattended), len(found.need_people)
    yield (
        f"{alone:,} of {count(needed, 'request')} that people had to agree to ({percent(alone, needed)}) came while no "
        "approver was there."
    )
    if found.still_open.worst is not None:
        longest = duration(timedelta(milliseconds=found.still_open.worst))
        yield f"{count(found.still_open.count, 'request')} still open, the oldest for {longest}; not in the tables of waits."


def _rows(table: StatsTable) -> Iterator[str]:
    heads = tuple(column.heading for column in table.columns)
    cells = [heads, *(tuple(map(_cut, row)) for row in table.texts())]
    if len(cells) == 1:
        yield "  none"
        return
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    for row in cells:
        aligned = (
            cell.ljust(width) if column.kind is CellKind.TEXT else cell.rjust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
        yield f"  {'  '.join(aligned)}"


def _cut(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
