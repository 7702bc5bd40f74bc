"""`curfew audit check`: judges promises P1, P2, P7 and P10 by the API server's own log and the trail."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, suppress
from datetime import timedelta
from pathlib import Path

import click

from curfew.api.times import parse_duration
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import Segment
from curfew.cli.audit import options
from curfew.cli.audit.api_log import MOST_FILES, Timed, read_api_logs
from curfew.cli.audit.check_output import Checked, show_check, to_json
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import TAMPERED, VERIFIED
from curfew.cli.audit.reading import given_key, open_location, unreadable
from curfew.cli.audit.verify_bundle import find_bundle
from curfew.evidence.history.facts import RecordTold
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.lines import ReadingCounts
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms
from curfew.reader.bundle import Manifest, examine
from curfew.reader.bundle_files import Files, NoBundle
from curfew.reader.errors import CannotRead, NotVerified
from curfew.reader.stream import known_key, verified_segments


def _duration(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command("check", short_help="Judge by the API server's log whether access ended and was recorded.")
@options.location
@click.option(
    "--audit-log",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="An audit log of an API server, plain or packed with gzip; - is the standard input. Can be repeated.",
)
@options.log
@options.key
@options.key_file
@click.option(
    "--late",
    default="5s",
    callback=_duration,
    show_default=True,
    metavar="DURATION",
    help="How long after its end a binding may be deleted.",
)
@click.option(
    "--clocks",
    default="1s",
    callback=_duration,
    show_default=True,
    metavar="DURATION",
    help="How far the clocks of the API servers and the operator may differ.",
)
@options.output
def check(
    location: str,
    files: tuple[str, ...],
    log: str,
    key: str | None,
    key_file: Path | None,
    late: timedelta,
    clocks: timedelta,
    output: str,
) -> None:
    """Judge by the API server's audit log whether Curfew kept its promises.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…), a folder, or a bundle of `curfew audit export`. The log is
    verified while it is read. Give the audit log (audit.k8s.io/v1, JSON lines) of each API server: what the logs do not
    cover is not judged. Four promises are judged, each for every request:

    \b
      P1   No binding outlives its end. A histogram shows how late the deletions were.
      P2   No binding without a durable record before it.
      P7   Each transition is in the log exactly once, and none is missing.
      P10  Each request that began comes to its end, once.

    An API server that is killed loses events. What could be the effect of that is shown as not clear.

    \b
    Examples:
      curfew audit check s3://acme-access-log/prod --audit-log audit.log --key-file curfew.pub
      curfew audit check ./copy --audit-log cp-1/audit.log --audit-log cp-2/audit.log --late 2s
      zcat audit-2026-11-*.log.gz | curfew audit check november.zip --audit-log - -o json | jq .promises

    \b
    Exit code 0: nothing shows that a promise was broken.
              1: a promise was broken, or the log does not verify.
              2: the command was wrong; the message shows why.
              3: the log or an audit log cannot be read.
    """  # noqa: D301  click's mark for lines that stay as they are
    if len(files) > MOST_FILES:
        raise click.UsageError(f"Give at most {MOST_FILES:,} files. Put some together: `cat` and --audit-log -.")
    if files.count("-") > 1:
        raise click.UsageError("Give --audit-log - only once: there is one standard input.")
    bundle = find_bundle(location)
    counts = ReadingCounts()
    with ExitStack() as stack, unreadable():
        judging = _Judging(JudgingTerms(late=late, clocks=clocks), read_api_logs(files, counts, stack))
        if bundle is not None:
            name, was_given = _read_bundle(bundle, location, key, key_file, judging)
        else:
            name, was_given = log, asyncio.run(_read_log(location, log, key, key_file, judging))
        judgement = judging.finish()
    checked = Checked(name, location, judgement, counts, judging.unread, key_was_given=was_given)
    if output == "json":
        click.echo(to_json(checked))
    else:
        show_check(checked)
    sys.exit(VERIFIED if judgement.holds else TAMPERED)


class _Judging:
    """Takes the segments of the trail, and before each what the API servers wrote until then."""

    def __init__(self, terms: JudgingTerms, events: Iterator[Timed]) -> None:
        self._history = MergedHistory(terms)
        self._events = events
        self._next = next(events, None)
        self.unread = 0  # lines of the trail that this version cannot read

    def take(self, segment: Segment) -> None:
        """Take the next segment."""
        while self._next is not None and self._next[0] <= segment.at:
            self._take_event(self._next)
        for index, body in enumerate(segment.bodies, segment.first):
            self.unread += 1
            with suppress(RecordRefused):
                self._history.take(RecordTold(index, segment.at, Record.parse(body)))
                self.unread -= 1
        self._history.cover_trail(segment.at)

    def finish(self) -> HistoryJudgement:
        """Take the rest, and return what all of it shows."""
        while self._next is not None:
            self._take_event(self._next)
        return self._history.judge()

    def _take_event(self, timed: Timed) -> None:
        at, fact = timed
        self._history.cover_calls(at)
        if fact is not None:
            self._history.take(fact)
        self._next = next(self._events, None)


async def _read_log(location: str, log: str, key: str | None, key_file: Path | None, judging: _Judging) -> bool:
    """Read a log in a store; return whether its key was given. Raise as `verified_segments` does."""
    store, given = open_location(location), given_key(key, key_file, log)
    verifier = await known_key(store, log, given)
    async with aclosing(verified_segments(store, log, verifier, progress=progress)) as links:
        async for link in links:
            judging.take(link.segment)
    return given is not None


def _read_bundle(
    files: Files, location: str, key: str | None, key_file: Path | None, judging: _Judging
) -> tuple[str, bool]:
    """Read a bundle; return the name of its log, and whether its key was given. Raise `NotVerified` if it is not whole."""
    try:
        manifest = Manifest.read(files)
    except NoBundle as error:
        raise CannotRead(f"The bundle {location} cannot be read: {error}.") from error
    given = given_key(key, key_file, manifest.log)
    with progress(len(manifest.files), "files") as advance:
        examined = examine(files, manifest, given or manifest.key, (), advance=advance, accepted=judging.take)
    if examined.findings:
        raise NotVerified(examined.findings[0])
    return manifest.log, given is not None
