"""`curfew audit key`: prints the public key that goes with the operator's signing key."""

from pathlib import Path

import click

from curfew.audit.checkpoint import Ed25519Signer, KeyRefused
from curfew.audit.segment import origin
from curfew.cli.audit import options


@click.command("key", short_help="Print the public key of a signing key.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.log
def key(file: Path, log: str) -> None:
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
