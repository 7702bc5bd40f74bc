"""`curfew audit`: checks a log, and shows it to people. Needs the log and no cluster.

Exit codes: 0 it verifies, 1 it does not, 2 the command was wrong, 3 the log cannot be read.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import date
from pathlib import Path
from typing import NoReturn

import click

from curfew.audit.canonical import parse_canonical
from curfew.audit.checkpoint import Ed25519Signer, KeyRefused, Verifier
from curfew.audit.events import EVENTS
from curfew.audit.findings import Anchor, Examined, Finding, Kind
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import ChainBroken, Head, Segment, follow, origin, resume
from curfew.audit.verify import Walk, place
from curfew.cli.reading import (
    TAMPERED,
    VERIFIED,
    Forged,
    Unfounded,
    announced,
    given_key,
    list_log,
    open_location,
    read,
    read_anchor,
    unreadable,
)
from curfew.cli.report import Report, printable, sentence
from curfew.ports import ObjectMissing, ObjectStore, StoreUnavailable

_POLL = 1.0  # seconds between two looks for the next segment

_location = click.argument("location")
_log = click.option("--log", default="main", show_default=True, metavar="NAME", help="The log's name at that place.")
_key = click.option("--key", metavar="KEY", help="The public key of the log: name+hash+base64.")
_key_file = click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that holds the key."
)
_output = click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="For people or programs.",
)


class _InOrder(click.Group):
    """Lists its commands as they stand below, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group("audit", cls=_InOrder)
def audit() -> None:
    """Check the record of all access, and read it.

    The operator writes each step of each request to a log in an object store: signed, chained, and never changed again.
    These commands read that log where it lies. They need no cluster and change nothing.
    """


@audit.command("verify", short_help="Prove that a log is whole.")
@_location
@_log
@_key
@_key_file
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="RECEIPT|FILE",
    help="What was kept of the log elsewhere: a receipt, a checkpoint, or a file with one. May be given often.",
)
@click.option("--all", "show_all", is_flag=True, help="Say all that is wrong, not only the first.")
@_output
def verify_command(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    anchors: tuple[str, ...],
    show_all: bool,
    output: str,
) -> None:
    """Prove that a log is whole: nothing altered, lost, added, moved or forked.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder: where the operator writes, or a copy. Every
    byte of it is checked, from the first segment to the last, and what is wrong is said with its place.

    Two things cannot come from the log itself. Who wrote it: give the key (--key), which `curfew audit key` prints. And
    whether it was cut off at its end: give an anchor (--anchor), which is what somebody kept of it elsewhere. Each grant
    carries one, on its RoleBinding and in the status of its request.

    \b
    Examples:
      curfew audit verify s3://acme-access-log/prod --key-file curfew.pub
      curfew audit verify ./copy --anchor main/41/42/9f86d081…
      curfew audit verify s3://acme-access-log/prod --anchor request.json
        with: kubectl get accessrequest inc-4711 -n payments -o json > request.json
      curfew audit verify ./copy --all -o json | jq .findings

    \b
    Exit code 0: the log is whole.
              1: it is not; the first bad place is named (with --all, each).
              2: the command was wrong; the message says how.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    checks = [read_anchor(anchor, log) for anchor in anchors]
    store = open_location(location)
    with unreadable():
        report = asyncio.run(_verify(store, log, verifier, checks))
    click.echo(json.dumps(report.to_json(), indent=2) if output == "json" else report.to_text(show_all=show_all))
    sys.exit(VERIFIED if report.is_good else TAMPERED)


async def _verify(
    store: ObjectStore, log: str, given: Verifier | None, checks: Sequence[Callable[[Verifier], Anchor]]
) -> Report:
    names = await list_log(store, log, may_be_empty=bool(checks))

    def report(*findings: Finding, examined: Examined | None = None, verifier: Verifier | None = given) -> Report:
        anchored = max((anchor.size for anchor in anchors), default=None)
        return Report(log, store.url, findings, examined, verifier, given is not None, anchored)

    anchors: list[Anchor] = []
    if not names:
        return report(Finding(Kind.CUT_OFF, f"log {log}", "is gone: an anchor speaks of it, and no segment is there"))
    try:
        verifier = given or await announced(store, log, names)
        anchors += (check(verifier) for check in checks)
    except Unfounded as error:
        return report(error.finding)
    except Forged as error:
        return report(Finding(Kind.REWRITTEN, f"log {log}", str(error)))
    walk = Walk(log, verifier, anchors)
    with progress(len(names), "objects") as advance:
        async with aclosing(read(store, names)) as objects:
            async for name, stored in objects:
                walk.take(name, stored)
                advance()
    examined = walk.finish()
    return report(*examined.findings, examined=examined, verifier=verifier)


@audit.command("tail", short_help="Show the newest records, and go on with -f.")
@_location
@_log
@_key
@_key_file
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="How many records.")
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on with what is written from now on. Ctrl-C ends it."
)
@_output
def tail_command(
    location: str, log: str, key: str | None, key_file: Path | None, count: int, is_followed: bool, output: str
) -> None:
    """Show the newest records of a log as a person would read them.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. Each line is one thing that happened: when
    (UTC), what, and a sentence. The signature of each segment is checked on the way, but not that none is missing:
    `curfew audit verify` does that.

    \b
    Examples:
      curfew audit tail s3://acme-access-log/prod
      curfew audit tail s3://acme-access-log/prod -f
      curfew audit tail ./copy -n 1000 -o json | jq -r .message

    With -o json each line is a record as it is stored: an OCSF event in canonical JSON.

    \b
    Exit code 0: all that was shown is signed.
              1: a segment was altered and is not shown; the message says which.
              2: the command was wrong; the message says how.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    store = open_location(location)
    show = show_json if output == "json" else Table()
    with unreadable():
        is_good = asyncio.run(_tail(store, log, verifier, count, show, is_followed=is_followed))
    sys.exit(VERIFIED if is_good else TAMPERED)


async def _tail(
    store: ObjectStore,
    log: str,
    verifier: Verifier | None,
    count: int,
    show: Callable[[bytes], None],
    *,
    is_followed: bool,
) -> bool:
    names = [name for name in await list_log(store, log) if place(log, name) >= 0]
    try:
        verifier = verifier or await announced(store, log, names)
    except Unfounded as error:
        click.echo(printable(sentence(str(error))), err=True)
        return False
    is_good = True
    newest: deque[Segment] = deque()
    head: Head | None = None
    wanted = count
    async with aclosing(read(store, names[::-1])) as objects:
        async for name, stored in objects:
            try:
                segment, after = resume(name, stored, verifier, log)
            except ChainBroken as broken:
                is_good = False
                click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)
                continue
            head = head or after
            newest.appendleft(segment)
            wanted -= len(segment.lines)
            if wanted <= 0:
                break
    lines = [line for segment in newest for line in segment.lines]
    for line in lines[len(lines) - min(count, len(lines)) :]:
        show(line)
    if is_followed and head is not None:
        await _follow(store, head, verifier, show)
    return is_good


async def _follow(store: ObjectStore, head: Head, verifier: Verifier, show: Callable[[bytes], None]) -> NoReturn:
    """Show what is appended, for ever."""
    reachable = True
    while True:
        name = head.next_name()
        try:
            stored = await store.get(name)
        except ObjectMissing:
            reachable = True
            await asyncio.sleep(_POLL)
            continue
        except StoreUnavailable as error:
            if reachable:
                click.echo(f"{error} Trying on.", err=True)
            reachable = False
            await asyncio.sleep(_POLL)
            continue
        try:
            segment, head = follow(head, name, stored, verifier)
        except ChainBroken as broken:
            click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)
            # The operator goes on after what is not its own; so does this.
            head = head.voided(stored)
            continue
        for line in segment.lines:
            show(line)


def show_json(line: bytes) -> None:
    """Print a record as it is stored."""
    click.echo(line)


class Table:
    """Prints records for people, with the day wherever it changes."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._width = max(map(len, EVENTS))

    def __call__(self, line: bytes) -> None:
        """Print a record."""
        try:
            record = Record.parse(parse_canonical(line))
        except RecordRefused as error:
            click.echo(printable(f"--:--:--  a line that this version cannot read: {error}"))
            return
        if record.at.date() != self._day:
            self._day = record.at.date()
            click.echo(f"{self._day:%A, %d %B %Y} (UTC)")
        click.echo(printable(f"{record.at:%H:%M:%S}  {record.event:<{self._width}}  {record.message}"))


@audit.command("key", short_help="Print the public key of a signing key.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_log
def key_command(file: Path, log: str) -> None:
    """Print the public key that goes with the operator's signing key.

    FILE holds the private key in PEM, as the operator's settings name it (audit.keyFile). Keep what is printed where an
    auditor finds it and whoever may write to the log does not: it is what --key and --key-file of `verify` want.

    \b
    Example:
      curfew audit key signing.pem > curfew.pub
    """  # noqa: D301  click's mark for lines that stay as they are
    try:
        click.echo(Ed25519Signer.from_pem(origin(log), file.read_bytes()).verifier_key)
    except KeyRefused as error:
        raise click.UsageError(f"{file} cannot be used: {error}.") from error


@contextmanager
def progress(total: int, things: str) -> Iterator[Callable[[], None]]:
    """Say on a terminal how far it is, once it has taken a second."""
    started = shown = time.monotonic()
    done = 0
    is_seen = sys.stderr.isatty()
    has_said = False

    def advance() -> None:
        nonlocal done, shown, has_said
        done += 1
        now = time.monotonic()
        if is_seen and now - started > 1 and now - shown > 0.1:
            shown, has_said = now, True
            click.echo(f"\r  {done:,} of {total:,} {things}", err=True, nl=False)

    try:
        yield advance
    finally:
        if has_said:
            click.echo("\r\x1b[2K", err=True, nl=False)
