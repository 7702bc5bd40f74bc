"""`curfew audit key`: prints the public half of a signing key, or the keys that have signed each part of a log."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

import click

from curfew.audit.checkpoint import Ed25519Signer, KeyRefused, Verifier
from curfew.audit.findings import Examined
from curfew.audit.segment import origin
from curfew.audit.walk import Walk
from curfew.cli.audit import options
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import TAMPERED
from curfew.cli.audit.reading import MOST_KEY, note, open_location, read_file, unreadable
from curfew.ports import ObjectStore
from curfew.reader.beginnings import find_claim, kept
from curfew.reader.errors import Unfounded
from curfew.reader.source import announced, list_log, read


@click.command("key", short_help="Print the public key of a signing key, or the keys of a log.")
@click.argument("where", metavar="FILE|LOCATION|-")
@options.log
def key(where: str, log: str) -> None:
    """Print the public key that goes with the operator's signing key, or the keys that have signed a log.

    FILE holds the private key in PEM, as the operator's settings name it (audit.keyFile), or the public key in PEM;
    with -, it is read from standard input. Keep the printed key where an auditor finds it and people who can write to
    the log cannot change it. Give it to `verify` with --key or --key-file.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder that holds a log. The log is checked as by
    `verify`. Each key is printed with the first segment and record that it signed. Only the log itself states that
    these are its keys: compare one of them with a key that you have kept.

    \b
    Examples:
      curfew audit key signing.pem > curfew.pub
      kubectl get secret … | curfew audit key - > curfew.pub
      curfew audit key s3://acme-access-log/prod

    \b
    Exit code 0: the keys are printed.
              1: the log does not verify.
              2: the command was wrong, or there is no usable key; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    if where == "-":
        click.echo(_public_half("standard input", sys.stdin.buffer.read(MOST_KEY), log))
        return
    if Path(where).is_file():
        click.echo(_public_half(where, read_file(Path(where), MOST_KEY), log))
        return
    if "://" not in where and not Path(where).is_dir():
        raise click.UsageError(f"{where} is neither a file nor a folder. Give a key in PEM, or the location of a log.")
    with unreadable():
        examined = asyncio.run(_examine(open_location(where), log))
    if examined.findings:
        click.echo(f"Not verified: {examined.findings[0]}. Run `curfew audit verify` for details.", err=True)
        sys.exit(TAMPERED)
    for tenure in examined.verified.keys:
        click.echo(f"{tenure.verifier}  from segment {tenure.segment} and record {tenure.record} on")


def _public_half(where: str, pem: bytes, log: str) -> Verifier:
    try:
        if b"PUBLIC KEY" in pem:
            return Verifier.from_pem(origin(log), pem)
        return Ed25519Signer.from_pem(origin(log), pem).verifier
    except KeyRefused as error:
        raise click.UsageError(f"{where} cannot be used: {error}.") from error


async def _examine(store: ObjectStore, log: str) -> Examined:
    names = await list_log(store, log, note=note)
    try:
        claim = await find_claim(store, log, names)
        beginning = claim.beginning if claim is not None else None
        walk = Walk(log, await announced(store, log, names, beginning), beginning=beginning)
        names = kept(log, names, claim)
    except Unfounded as error:
        raise click.ClickException(f"{error.finding}.") from error
    with progress(len(names), "objects") as advance:
        async with aclosing(read(store, log, names)) as objects:
            async for name, stored in objects:
                walk.take(name, stored)
                advance()
    return walk.finish()
