"""`curfew audit verify`: proves that a log is whole, or shows where it is not."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import click

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Examined, Finding, Kind
from curfew.audit.places import place
from curfew.audit.walk import Walk
from curfew.audit.witness import Witness
from curfew.audit.wording import count
from curfew.cli.audit import options
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import INTERRUPTED, TAMPERED, VERIFIED
from curfew.cli.audit.reading import given_key, note, open_location, read_anchors, read_witness, unreadable
from curfew.cli.audit.verdict import Report
from curfew.cli.audit.verify_bundle import find_bundle, verify_bundle
from curfew.ports import ObjectStore
from curfew.reader.anchors import Kept
from curfew.reader.beginnings import find_claim, kept
from curfew.reader.errors import Unfounded
from curfew.reader.parallel import processors, with_summaries
from curfew.reader.source import announced, list_log, read


@click.command("verify", short_help="Prove that a log is complete and unchanged.")
@options.location
@options.log
@options.key
@options.key_file
@options.anchors
@click.option(
    "--save",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="If the log verifies, save the verified state to this file.",
)
@click.option(
    "--resume",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify only what came after the state in this file, and that the log still extends it.",
)
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="The number of processes. Default: the number of processors."
)
@click.option("--all", "show_all", is_flag=True, help="Show all problems, not only the first.")
@options.output
def verify(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    anchors: tuple[str, ...],
    save: Path | None,
    resume: Path | None,
    jobs: int | None,
    show_all: bool,
    output: str,
) -> None:
    """Prove that a log is whole: nothing altered, lost, added, moved or forked.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder: where the operator writes, or a copy; or a
    bundle that `curfew audit export` wrote. Every byte of the log is checked, from the first segment to the last. Each
    problem is shown with its place.

    The log itself cannot show two things. To check who wrote the log, give the key (--key) that `curfew audit key`
    prints. To check whether the end of the log was cut off, give an anchor (--anchor): evidence of the log that was
    kept elsewhere. Each grant carries an anchor, on its RoleBinding and in the status of its request, and the ConfigMap
    curfew-checkpoint holds the newest. The file that --save writes is an anchor too. A file may hold many anchors, as
    kubectl lists them; all are used.

    The key may be the newest or any earlier key of the log: verification follows each change of keys.

    \b
    Examples:
      curfew audit verify s3://acme-access-log/prod --key-file curfew.pub
      curfew audit verify ./copy --anchor main/41/42/9f86d081…
      curfew audit verify s3://acme-access-log/prod --anchor request.json
        with: kubectl get accessrequest inc-4711 -n payments -o json > request.json
      curfew audit verify s3://acme-access-log/prod --anchor newest.yaml
        with: kubectl get configmap curfew-checkpoint -n curfew-system -o yaml > newest.yaml
      curfew audit verify ./copy --all -o json | jq .findings
      curfew audit verify s3://acme-access-log/prod --key-file curfew.pub --save seen.json
      curfew audit verify s3://acme-access-log/prod --resume seen.json --save seen.json

    \b
    Exit code 0: the log is whole.
              1: it is not; the first bad place is shown (with --all, every bad place).
              2: the command was wrong; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
            130: it was interrupted with Ctrl-C.
    """  # noqa: D301  click's mark for lines that stay as they are
    if (bundle := find_bundle(location)) is not None:
        if save is not None or resume is not None:
            raise click.UsageError("--save and --resume work on logs, not on bundles.")
        sys.exit(verify_bundle(bundle, location, key, key_file, anchors, output))
    since = read_witness(resume, log) if resume is not None else None
    given = [one for anchor in anchors for one in read_anchors(anchor, log)]
    if since is not None:
        _refuse_older(given, since)
    asked = Comparison(given_key(key, key_file, log), given, since, jobs or processors())
    store = open_location(location)
    try:
        with unreadable():
            report, witness = asyncio.run(verify_log(store, log, asked))
    except KeyboardInterrupt:
        click.echo("Interrupted: it is not known whether the log verifies.", err=True)
        sys.exit(INTERRUPTED)
    click.echo(json.dumps(report.to_json(), indent=2) if output == "json" else report.to_text(show_all=show_all))
    if save is not None:
        _save(save, witness)
    sys.exit(VERIFIED if report.is_good else TAMPERED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare the log with, and how."""

    key: Verifier | None
    anchors: Sequence[Kept]
    since: Witness | None
    jobs: int  # processes


async def verify_log(store: ObjectStore, log: str, asked: Comparison) -> tuple[Report, Witness | None]:
    """Return the report, and the state to save if the log is whole."""
    since = asked.since
    names = await list_log(store, log, may_be_empty=bool(asked.anchors or since), note=note)
    anchors = [one.anchor for one in asked.anchors]
    given = asked.key or (since.trusted if since is not None and since.key_was_given else None)

    def report(*findings: Finding, examined: Examined | None = None, verifier: Verifier | None = given) -> Report:
        first = examined.verified.first if examined is not None else 0
        sizes = [anchor.size for anchor in anchors if anchor.size >= first]
        anchored = max(sizes + ([since.head.range.size] if since is not None else []), default=None)
        return Report(log, store.url, findings, examined, verifier, given is not None, anchored)

    if not names:
        what = "an anchor" if anchors else "a saved state"
        why = f"is gone: {what} covers it, but no segment is there"
        return report(Finding(Kind.CUT_OFF, f"log {log}", why)), None
    claim = await find_claim(store, log, names)
    beginning = claim.beginning if claim is not None else None
    if since is not None and beginning is not None and since.head.seq < beginning.segment:
        raise _too_old(since, beginning)
    try:
        trusted = given or (since.trusted if since is not None else await announced(store, log, names, beginning))
    except Unfounded as error:
        return report(error.finding), None
    earlier: list[Finding] = []
    names = kept(log, names, claim)
    if since is not None:
        names, earlier = _after(since, log, names, beginning)
    walk = Walk(log, trusted, anchors, since=since, beginning=beginning)
    with progress(len(names), "objects") as advance:
        async with aclosing(with_summaries(read(store, log, names), log, lambda: walk.verifier, asked.jobs)) as objects:
            async for name, stored, summary in objects:
                walk.take(name, stored, summary)
                advance()
    examined = walk.finish()
    keys = [trusted, *(tenure.verifier for tenure in examined.verified.keys)]
    forgeries = (one.forgery(keys) for one in asked.anchors)
    forged = [Finding(Kind.REWRITTEN, f"log {log}", forgery) for forgery in forgeries if forgery is not None]
    found = report(*forged, *earlier, *examined.findings, examined=examined, verifier=trusted)
    if not found.is_good:
        return found, None
    return found, Witness.of(examined.verified, trusted, key_was_given=given is not None)


def _refuse_older(anchors: Sequence[Kept], since: Witness) -> None:
    """Raise `click.UsageError` for an anchor that covers less than the saved state."""
    for anchor in (one.anchor for one in anchors):
        if anchor.size < since.head.range.size:
            raise click.UsageError(
                f"{anchor.source.capitalize()} covers only the first {count(anchor.size, 'record')}, and --resume "
                "does not read these again. Leave out --resume or this anchor."
            )


def _too_old(since: Witness, beginning: Beginning) -> click.UsageError:
    return click.UsageError(
        f"The saved state ends with segment {since.head.seq}, and the log now states that it begins with segment "
        f"{beginning.segment}: nothing links the two. Verify without --resume, and save a new state."
    )


def _after(
    since: Witness, log: str, names: Sequence[str], beginning: Beginning | None
) -> tuple[list[str], list[Finding]]:
    """Return the names from the last segment of a saved state on, and what is wrong with the names before that."""
    before = {seq for seq in (place(log, name) for name in names) if 0 <= seq < since.head.seq}
    rest = [name for name in names if not 0 <= place(log, name) < since.head.seq]
    first = beginning.segment if beginning is not None else 0
    if lost := since.head.seq - first - len(before):
        why = f"no longer holds {count(lost, 'segment')} of the saved state; verify without --resume to see which"
        return rest, [Finding(Kind.MISSING, f"log {log}", why)]
    return rest, []


def _save(file: Path, witness: Witness | None) -> None:
    if witness is None:
        click.echo(f"Nothing was saved in {file}, because the log does not verify.", err=True)
        return
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_text(json.dumps(witness.to_json(), indent=2) + "\n")
        new.replace(file)
    except OSError as error:
        raise click.FileError(str(file), str(error)) from error
