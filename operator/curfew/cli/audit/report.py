"""`curfew audit report`: makes the evidence that an auditor asks for, after it has verified the log."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, timedelta
from importlib.metadata import version
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.api.times import format_duration, parse_duration
from curfew.audit.timespan import Span
from curfew.audit.wording import count, printable, sentence
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked, BothLogs, activity_options, open_both
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import TAMPERED
from curfew.cli.audit.reading import read_anchors, unreadable
from curfew.cli.audit.session_reading import SessionReading, records_in
from curfew.evidence.account import HEARTBEAT, Ledger
from curfew.evidence.figures import Figures
from curfew.evidence.findings import find
from curfew.evidence.frameworks import FRAMEWORKS
from curfew.evidence.period import Period, PeriodRefused
from curfew.evidence.report import Basis, Pack, render
from curfew.evidence.sampling import draw
from curfew.evidence.stats.book import StatsBook
from curfew.reader.anchors import Kept
from curfew.reader.beginnings import in_words
from curfew.reader.proofs import Shelf
from curfew.reader.stream import known_key, verified_segments

REPORT, PROOFS = "report.html", "proofs"


class NotAnchored(click.ClickException):
    """An anchor that the log's key did not sign."""

    exit_code = TAMPERED


def _period(_: click.Context, __: click.Parameter, value: str) -> Period:
    try:
        return Period.parse(value, SystemClock().now())
    except PeriodRefused as error:
        raise click.BadParameter(f"{error}.") from error


def _heartbeat(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    try:
        heartbeat = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
    if heartbeat <= timedelta(0):
        raise click.BadParameter("The interval must be longer than zero, such as 60s.")
    return heartbeat


def _empty_folder(_: click.Context, __: click.Parameter, value: Path) -> Path:
    if value.exists() and (not value.is_dir() or any(value.iterdir())):
        raise click.BadParameter(f"{value} already exists and is not an empty folder; choose another.")
    return value


@click.command("report", short_help="Report on a period: controls, exceptions, samples.")
@options.location
@options.log
@options.key
@options.key_file
@options.anchors
@activity_options
@click.option(
    "--framework",
    required=True,
    type=click.Choice(tuple(FRAMEWORKS)),
    help="The framework whose controls the report covers.",
)
@click.option(
    "--period",
    required=True,
    callback=_period,
    metavar="PERIOD",
    help="2026-Q3, 2026-07, 2026, or 2026-07-01..2026-09-30: whole days, in UTC.",
)
@click.option(
    "--to",
    "folder",
    required=True,
    callback=_empty_folder,
    type=click.Path(path_type=Path),
    help="The folder to write the report to: new, or empty.",
)
@click.option(
    "--sample",
    "size",
    type=click.IntRange(0),
    default=25,
    show_default=True,
    help="The number of grants to draw as samples.",
)
@click.option(
    "--heartbeat",
    default=format_duration(HEARTBEAT),
    callback=_heartbeat,
    show_default=True,
    metavar="DURATION",
    help="The interval between signs of life in the log (audit.heartbeat of the operator). Three missing ones are a gap.",
)
@click.option("--seed", metavar="TEXT", help="The seed of the draw. Default: the log's root.")
def report(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    anchors: tuple[str, ...],
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
    framework: str,
    period: Period,
    folder: Path,
    size: int,
    heartbeat: timedelta,
    seed: str | None,
) -> None:
    """Make a report with the evidence that an auditor asks for.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. The whole log is verified first, as by
    `curfew audit verify`. If it does not verify, no report is made. If `curfew monitor` writes a log of activity, that
    log is verified too, and the report shows what was done with each grant. The report consists of report.html, a single file
    that can be printed; each of its tables as CSV; and, in proofs/, a proof for each record of a sample or an
    exception. `curfew audit check-proof` checks each proof without the log.

    \b
    Examples:
      curfew audit report s3://acme-access-log/prod --key-file curfew.pub \\
        --framework soc2 --period 2026-Q3 --to evidence
      curfew audit report ./copy --framework iso27001 --period 2026-07-01..2026-09-30 \\
        --sample 40 --seed "engagement 4711" --anchor request.json --to evidence

    \b
    Exit code 0: the report is made, whatever its results.
              1: the log does not verify, and no report is made.
              2: the command was wrong; the message shows why.
              3: the log cannot be read.
    """  # noqa: D301  click's mark for lines that stay as they are
    kept = [one for anchor in anchors for one in read_anchors(anchor, log)]
    with unreadable():
        both = asyncio.run(open_both(Asked(location, log, key, key_file, activity_log, activity_at, activity_key)))
        pack = asyncio.run(
            _report(
                both,
                kept,
                framework=framework,
                ledger=Ledger(log, period, heartbeat),
                size=size,
                seed=seed,
            )
        )
    _write(pack, folder)
    numbers = (
        count(len(pack.figures.population), "grant"),
        count(len(pack.exceptions), "exception"),
        count(len(pack.proofs), "proof"),
    )
    click.echo(printable(f"Verified log {log}, and made {folder / REPORT}: {', '.join(numbers)}."))


async def _report(
    both: BothLogs,
    kept: Sequence[Kept],
    *,
    framework: str,
    ledger: Ledger,
    size: int,
    seed: str | None,
) -> Pack:
    store, log, given = both.trail.store, both.trail.log, both.trail.given
    verifier = await known_key(store, log, given)
    sessions = SessionReading(ledger.period) if both.activity is not None else None
    anchors = [one.anchor for one in kept]
    shelf = Shelf(log)
    book = StatsBook(Span(ledger.period.begin, ledger.period.end))
    async with aclosing(verified_segments(store, log, verifier, anchors, progress=progress)) as links:
        async for link in links:
            ledger.take(link.segment)
            shelf.take(link)
            for _, record in records_in(link.segment):
                book.take(record)
            if sessions is not None:
                sessions.take_trail(link.segment)
    verified = shelf.verified
    keys = [verifier, *(tenure.verifier for tenure in verified.keys)]
    for forgery in filter(None, (one.forgery(keys) for one in kept)):
        raise NotAnchored(f"{printable(sentence(forgery))} No report is made.")
    account, now = ledger.account(), SystemClock().now()
    exceptions = find(account, now=now)
    figures = Figures(account, exceptions)
    used_seed = seed if seed is not None else verified.head.range.root().hex()
    samples = draw(figures.population, seed=used_seed, size=size)
    wanted = {record.index for one in exceptions for record in one.records}
    wanted |= {record.index for sample in samples for record in sample.grant.records}
    return Pack(
        basis=Basis(
            location=store.url,
            log=log,
            key=str(verifier),
            proof_key=shelf.key,
            key_was_given=given is not None,
            anchors=tuple((anchor.source, anchor.size) for anchor in anchors if anchor.size >= verified.first),
            records=verified.records - verified.first,
            begins=in_words(verified.beginning) if verified.beginning is not None else None,
            anchors_before=verified.anchors_before,
            segments=verified.segments,
            size=verified.records,
            root=verified.head.range.root().hex(),
            checkpoint=shelf.checkpoint,
            made_at=now,
            version=version("curfew"),
            seed=used_seed,
            seed_was_given=seed is not None,
            asked_for=size,
        ),
        framework=FRAMEWORKS[framework],
        figures=figures,
        stats=book.stats(UTC, None),
        exceptions=exceptions,
        samples=samples,
        proofs=[proof async for proof in shelf.proofs(store, sorted(wanted))],
        sessions=await sessions.figures(both.activity, account, now) if sessions and both.activity else None,
    )


def _write(pack: Pack, folder: Path) -> None:
    """Write the evidence into a folder, the report last: if the report exists, the evidence is complete."""
    proofs = folder / PROOFS
    proofs.mkdir(parents=True, exist_ok=True)
    for proof in pack.proofs:
        (proofs / f"{proof.index}.json").write_bytes(proof.to_bytes())
    for name, content in pack.tables.items():
        (folder / name).write_text(
            content, encoding="utf-8-sig", newline=""
        )  # the mark tells spreadsheets that it is UTF-8
    (folder / REPORT).write_text(render(pack), encoding="utf-8")
