"""`curfew audit check-proof`: checks the proof of one record, with nothing but the file and the key."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.proof import Proof, ProofRefused, Proved
from curfew.audit.wording import count, in_utc, printable, sentence
from curfew.cli.audit import options
from curfew.cli.audit.exits import TAMPERED
from curfew.cli.audit.reading import MOST_GIVEN, read_file, read_key

_NO_KEY = (
    "No key was given, so the one in the file was used. This shows that the file is consistent, not who made it. Give "
    "the operator's key with --key or --key-file."
)


@click.command("check-proof", short_help="Check a proof file, without the log.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.key
@options.key_file
@options.output
def check_proof(file: Path, key: str | None, key_file: Path | None, output: str) -> None:
    """Check the proof of one record. It needs neither the log nor a network.

    FILE is a file that `curfew audit prove` wrote. The key is the operator's public key, as `curfew audit key` prints
    it. Get it from somebody you trust, not from the person who gave you the file.

    \b
    Examples:
      curfew audit check-proof main-41.proof.json --key-file curfew.pub
      curfew audit check-proof main-41.proof.json --key-file curfew.pub -o json | jq -r .record.message

    \b
    Exit code 0: the record is proved.
              1: it is not; the message shows what is wrong with the file.
              2: the command was wrong; the message shows why.
              3: the file cannot be read.
    """  # noqa: D301  click's mark for lines that stay as they are
    given = read_key(key, key_file)
    data = read_file(file, MOST_GIVEN)
    try:
        proof = Proof.from_bytes(data)
        verifier = given or Verifier.parse(proof.key)
        proved = proof.check(verifier)
    except (ProofRefused, KeyRefused) as error:
        click.echo(
            json.dumps({"proved": False, "message": sentence(str(error))}, indent=2)
            if output == "json"
            else printable(f"NOT PROVED: {file} proves nothing. {sentence(str(error))}")
        )
        sys.exit(TAMPERED)
    if output == "json":
        click.echo(json.dumps(_to_json(proof, proved, given), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(printable(line) for line in _lines(proof, proved, verifier, given)))


def _to_json(proof: Proof, proved: Proved, given: Verifier | None) -> dict[str, Any]:
    return {
        "proved": True,
        "log": proof.log,
        "index": proved.index,
        "record": json.loads(proved.line),
        "checkpoint": {"size": proved.checkpoint.size, "root": proved.checkpoint.root.hex()},
        "key": proof.key,
        "keyWasGiven": given is not None,
        "notes": [] if given else [_NO_KEY],
    }


def _lines(proof: Proof, proved: Proved, verifier: Verifier, given: Verifier | None) -> Iterator[str]:
    yield f"Proved: this is record {proved.index} of log {proof.log}"
    yield ""
    if proved.record is None:
        yield "  This version cannot read this kind of record; -o json shows it."
    else:
        yield f"  What     {proved.record.message}"
        yield f"  When     {in_utc(proved.record.at)}"
        yield f"  Event    {proved.record.event}, by {proved.record.block.get('actor', 'an unnamed actor')}"
    yield ""
    yield f"  Checked  it is one of the {count(proved.checkpoint.size, 'record')} that the checkpoint in the file commits to"
    yield f"  Root     {proved.checkpoint.root.hex()}"
    yield f"  Key      {verifier}"
    yield ""
    yield (
        "The holder of that key signed a log that has exactly this record at this place. To check that nothing else "
        "in the log was changed or left out, run `curfew audit verify`."
    )
    if given is None:
        yield ""
        yield f"Note: {_NO_KEY}"
