"""`curfew audit import`: sends the lines of another system to the monitor, which ties them to grants."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

import click

from curfew.adapters.lines import LineSender, LinesNotSent, LinesNotWanted
from curfew.audit.wording import printable
from curfew.cli.audit.exits import UNREADABLE
from curfew.cli.audit.foreign_lines import ForeignLines
from curfew.core.activity.external.mapping import LineMapping
from curfew.reader.errors import CannotRead
from curfew.settings.loading import SettingsRefused
from curfew.settings.mappings import load_mapping

BATCH_LINES, BATCH_BYTES = 1000, 1024 * 1024
"""The most lines, and the most bytes of lines, that are sent at a time."""


@click.command("import", short_help="Send the lines of another system, such as a database.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--mapping",
    required=True,
    metavar="NAME|FILE",
    help="A mapping that the monitor has, or the file that it was given.",
)
@click.option("--to", metavar="URL", help="The address of the monitor's intake: https://HOST:PORT.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one of the monitor's tokens for lines (intake.webhook.linesTokenFile).",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The authority of the monitor's certificate, in PEM. Default: those of this machine.",
)
@click.option(
    "--source", default="import", show_default=True, metavar="NAME", help="The name under which the monitor counts."
)
@click.option("--dry-run", is_flag=True, help="Show how each line is read, and send nothing.")
def import_(
    file: BinaryIO,
    mapping: str,
    to: str | None,
    token_file: Path | None,
    ca: Path | None,
    source: str,
    *,
    dry_run: bool,
) -> None:
    """Send JSON lines of another system to the monitor, which records those that belong to a grant.

    FILE holds the lines; - is the standard input. With the mapping's FILE instead of its name, each line is read here
    first, and lines that the mapping leaves out are not sent. The same lines may be sent again: nothing is recorded twice.

    \b
    Examples:
      curfew audit import postgresql.json --mapping postgresql.yaml --dry-run
      curfew audit import postgresql.json --mapping postgresql.yaml --to https://curfew-monitor:8443 --token-file token
      zcat postgresql-*.json.gz | curfew audit import - --mapping postgresql --to https://… --token-file token --ca ca.crt

    \b
    Exit code 0: all lines were read and sent.
              2: the command was wrong, or the monitor refuses such lines; the message shows why.
              3: some lines cannot be read (the others were sent), or the monitor cannot be reached.
    """  # noqa: D301  click's mark for lines that stay as they are
    known = _known(mapping)
    if dry_run and known is None:
        raise click.UsageError("--dry-run reads the lines here, so it needs the file: --mapping FILE.yaml.")
    lines = ForeignLines(file, known, show=dry_run)
    if dry_run:
        for _ in lines.wanted():
            pass
    else:
        if to is None or token_file is None:
            raise click.UsageError("Give --to URL and --token-file FILE, or --dry-run to send nothing.")
        address = _address(to, source, known.system if known is not None else mapping)
        try:
            sender = LineSender(address, token_file, ca)
            asyncio.run(_send(lines, sender))
        except LinesNotWanted as error:
            raise click.UsageError(printable(f"{error} {lines.sent_before()}")) from error
        except LinesNotSent as error:
            raise CannotRead(printable(f"{error} {lines.sent_before()}")) from error
    click.echo("\n".join(lines.summary(to)))
    if lines.unreadable:
        sys.exit(UNREADABLE)


async def _send(lines: ForeignLines, sender: LineSender) -> None:
    async with sender:
        for batch in _batches(lines.wanted()):
            await sender.send(b"\n".join(batch) + b"\n")
            lines.sent += len(batch)


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if len(batch) == BATCH_LINES or (batch and size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield batch


def _known(mapping: str) -> LineMapping | None:
    """Return the mapping in a file; None for the name of a mapping that only the monitor has."""
    if not Path(mapping).is_file():
        if "/" in mapping or "." in mapping:
            raise click.UsageError(f"There is no file {mapping}.")
        return None
    try:
        return load_mapping(Path(mapping))
    except SettingsRefused as error:
        raise click.UsageError(f"The mapping cannot be used:\n{error}") from error


def _address(to: str, source: str, system: str) -> str:
    parts = urlsplit(to)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.path.strip("/"):
        raise click.UsageError(f"{to} is not the address of a monitor's intake; write https://HOST:PORT.")
    return f"https://{parts.netloc}/lines/{quote(source, safe='')}?mapping={quote(system, safe='')}"
