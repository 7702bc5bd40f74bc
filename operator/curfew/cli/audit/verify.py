"""`curfew audit verify`: proves that a log is whole, or says where it is not."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import click

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Examined, Finding, Kind
from curfew.audit.verify import Walk
from curfew.cli.audit import options
from curfew.cli.audit.reading import (
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
from curfew.cli.audit.showing import progress
from curfew.cli.audit.verdict import Report
from curfew.ports import ObjectStore


@click.command("verify", short_help="Prove that a log is whole.")
@options.location
@options.log
@options.key
@options.key_file
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="RECEIPT|FILE",
    help="What was kept of the log elsewhere: a receipt, a checkpoint, or a file with one. May be given often.",
)
@click.option("--all", "show_all", is_flag=True, help="Say all that is wrong, not only the first.")
@options.output
def verify(
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
