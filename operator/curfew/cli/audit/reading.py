"""How the audit commands find a log: where it is, which key signed it, which anchors cover it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import BUCKET_SCHEMES, open_store
from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import KeyRefused, Verifier, claimed
from curfew.audit.findings import Anchor
from curfew.audit.pseudonyms import Person
from curfew.audit.receipt import Receipt
from curfew.audit.segment import origin
from curfew.audit.untrusted_json import parse_given
from curfew.audit.witness import Witness
from curfew.ports import ErasableStore, StoreError, StoreUnavailable
from curfew.reader.anchors import FORMS, Kept, anchors_in
from curfew.reader.beginnings import meaning
from curfew.reader.errors import CannotRead
from curfew.settings.files import read_given

MOST_GIVEN = 32 * 1024 * 1024
MOST_KEY = 64 * 1024
"""Most bytes of a file with anchors or a saved state, and of a file with a key."""


def note(text: str) -> None:
    """Print a sentence beside the output."""
    click.echo(text, err=True)


@contextmanager
def unreadable() -> Iterator[None]:
    """Turn a refusal of the store into a message and exit code 3."""
    try:
        yield
    except StoreError as error:
        raise CannotRead(str(error)) from error


def open_location(location: str) -> ErasableStore:
    """Return the store at an address or in a folder. Raise `click.UsageError` or `CannotRead` if there is none."""
    scheme, is_address, _ = location.partition("://")
    if is_address and scheme not in ("file", *BUCKET_SCHEMES):
        raise click.UsageError(
            f"{location} is neither a folder nor an address. An address begins with s3://, gs://, az:// or file://."
        )
    with unreadable():
        store = open_store(location if is_address else f"file://{Path(location).absolute()}")
        if store.url.startswith("file://") and not (folder := Path(store.url.removeprefix("file://"))).is_dir():
            raise StoreUnavailable(f"There is no folder {folder}. Give the one that holds v1/, or a bucket's address.")
        return store


def required_people(location: str | None) -> str:
    """Return where people's names are stored, or raise `click.UsageError`."""
    if location is None:
        raise click.UsageError(
            "Give the location of people's names: --people LOCATION, the value of audit.people in the operator's "
            "settings."
        )
    return location


async def known_people(location: str | None) -> Mapping[str, Person]:
    """Return the people behind a log's pseudonyms, by pseudonym; empty if no location is given."""
    if location is None:
        return {}
    from curfew.storage.people import People  # it imports half the operator, and most logs hold names

    return await People(open_location(location), SystemClock()).by_pseudonym()


def read_file(file: Path, most: int) -> bytes:
    """Return a file's contents. Raise `CannotRead` if it cannot be read, or is larger than `most` bytes."""
    try:
        return read_given(file, most)
    except OSError as error:
        raise CannotRead(f"{file} cannot be read: {error}.") from error


def given_key(text: str | None, file: Path | None, log: str, *, may_be_other: bool = False) -> Verifier | None:
    """Return the key of this log that was given, or None. A file may hold the keys of several logs, one on each line.

    Raise `click.UsageError` if only keys of other logs were given, unless `may_be_other`.
    """
    keys = read_keys(text, file)
    found = next((key for key in keys if key.name == origin(log)), None)
    if found is None and keys and not may_be_other:
        raise click.UsageError(f"The key belongs to {keys[0].name}; log {log} needs a key of {origin(log)}.")
    return found


def read_key(text: str | None, file: Path | None) -> Verifier | None:
    """Return the first key that was given, for any log, or None. Raise `click.UsageError` for a malformed key."""
    return next(iter(read_keys(text, file)), None)


def read_keys(text: str | None, file: Path | None) -> list[Verifier]:
    """Return the keys that were given, for any logs. Raise `click.UsageError` for a malformed key."""
    if text is not None and file is not None:
        raise click.UsageError("Give --key or --key-file, not both.")
    if file is not None:
        text = read_file(file, MOST_KEY).decode(errors="replace")
    if text is None:
        return []
    try:
        return [Verifier.parse(line) for line in _lines(text)]
    except KeyRefused as error:
        raise click.UsageError(f"The key cannot be used: {error}.") from error


def _lines(text: str) -> list[str]:
    """Return the lines of a text that hold something; a private key stays whole, so that its refusal names it."""
    return [text] if "PRIVATE KEY" in text else [line for line in text.splitlines() if line.strip()] or [text]


def read_anchors(text: str, log: str) -> list[Kept]:
    """Read an anchor, or all anchors in a file, in any form. Raise `click.UsageError` if there is none."""
    content, inside = text, ""
    if _is_file(text):
        try:
            content, inside = read_file(Path(text), MOST_GIVEN).decode(), f" in {Path(text).name}"
        except UnicodeDecodeError as error:
            raise click.UsageError(f"The anchor in {text} cannot be read: {error}.") from error
    try:
        return [_kept(anchor, log, inside) for anchor in anchors_in(content)]
    except ValueError as error:
        no_file = "" if inside else "there is no file of that name, and "
        raise click.UsageError(f"The anchor{inside} cannot be used: {no_file}{error}. {FORMS}.") from error


def _kept(anchor: Receipt | str, log: str, inside: str) -> Kept:
    if isinstance(anchor, Receipt):
        if anchor.log != log:
            raise click.UsageError(
                f"The receipt{inside} belongs to log {anchor.log}; choose that log with --log {anchor.log}."
            )
        return Kept(Anchor.of_receipt(anchor, f"the receipt of record {anchor.index}{inside}"))
    checkpoint = claimed(anchor)
    if checkpoint.origin != origin(log):
        raise click.UsageError(f"The checkpoint{inside} belongs to {checkpoint.origin}; log {log} is {origin(log)}.")
    return Kept(Anchor.of_checkpoint(checkpoint, f"the checkpoint{inside}"), anchor)


def read_witness(file: Path, log: str) -> Witness:
    """Read the state that an earlier verification saved. Raise `click.UsageError` if it is not a state of this log."""
    try:
        witness = Witness.from_json(parse_given(read_file(file, MOST_GIVEN)))
    except ValueError as error:
        raise click.UsageError(
            f"The saved state in {file} cannot be used: {error}. Verify the whole log again, with --save {file}."
        ) from error
    if witness.head.log != log:
        raise click.UsageError(f"The saved state in {file} belongs to log {witness.head.log}, not to log {log}.")
    return witness


def read_receipt(text: str) -> Receipt | None:
    """Return the receipt in a text, or the first receipt in the file with this name; None if there is none."""
    try:
        content = read_given(Path(text), MOST_GIVEN).decode() if _is_file(text) else text
        return next((anchor for anchor in anchors_in(content) if isinstance(anchor, Receipt)), None)
    except (OSError, ValueError):
        return None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # the text is too long for a name, or contains a zero byte
        return False


def tell(beginning: Beginning | None) -> None:
    """Print where the log begins, if that is not its first record."""
    if beginning is not None:
        click.echo(f"Note: {meaning(beginning)}", err=True)
