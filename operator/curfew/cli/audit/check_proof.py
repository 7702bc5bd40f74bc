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
    "No key was given, so the one in the file was used. This shows that the file is of one piece, not who made it. Give "
    "the operator's key with --key or --key-file."
)


@click.command("check-proof", short_help="Check such a file, without the log.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.key
@options.key_file
@options.output
def check_proof(file: Path, key: str | None, key_file: Path | None, output: str) -> None:
    """Check the proof of one record. It needs neither the log nor a network.

    FILE is what `curfew audit prove` wrote. The key is the operator's, as `curfew audit key` prints it; it has to come
    from somebody you trust, and not from whoever gave you the file.

    \b
    Examples:
      curfew audit check-proof main-41.proof.json --key-file curfew.pub
      curfew audit check-proof main-41.proof.json --key-file curfew.pub -o json | jq -r .record.message

    \b
    Exit code 0: it is proved.
              1: it is not; the message says what is wrong with the file.
              2: the command was wrong; the message says how.
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
        yield "  It is of a kind that this version does not read; -o json shows it."
    else:
        yield f"  What     {proved.record.message}"
        yield f"  When     {in_utc(proved.record.at)}"
        yield f"  Event    {proved.record.event}, by {proved.record.block.get('actor', 'nobody named')}"
    yield ""
    yield f"  Checked  it is one of the {count(proved.checkpoint.size, 'record')} that the checkpoint in the file commits to"
    yield f"  Root     {proved.checkpoint.root.hex()}"
    yield f"  Key      {verifier}"
    yield ""
    yield (
        "Whoever holds that key signed a log that holds this record, word for word, at this place. That nothing was changed "
        "or left out elsewhere in the log is what `curfew audit verify` shows."
    )
    if given is None:
        yield ""
        yield f"Note: {_NO_KEY}"
