"""How the audit commands get at a log: where it is, which key signed it, which anchors speak of it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import BUCKET_SCHEMES, open_store
from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import KeyRefused, NoteRefused, Verifier, claimed, open_note
from curfew.audit.findings import Anchor, Finding, Kind
from curfew.audit.given import parse_given
from curfew.audit.pseudonyms import Person
from curfew.audit.receipt import Receipt
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, announced_key, origin, prefix, resume
from curfew.audit.verify import in_order, place
from curfew.audit.witness import Witness
from curfew.cli.audit.anchors import FORMS, anchors_in
from curfew.ports import ErasableStore, ObjectStore, StoreError, StoreUnavailable
from curfew.settings.files import read_given

VERIFIED, TAMPERED, USAGE, UNREADABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes of the audit commands."""

_AHEAD = 32
"""How many objects are asked for before their turn. With `ports.MOST_READ` this bounds the memory: 130 MiB."""

MOST_STRANGERS = 1000
"""How many objects that do not belong to a log are named."""

MOST_GIVEN = 32 * 1024 * 1024
MOST_KEY = 64 * 1024
"""Most bytes of a file with anchors or a saved state, and of one with a key."""


class CannotRead(click.ClickException):
    """The log cannot be read, which says nothing about whether it was tampered with."""

    exit_code = UNREADABLE


class Unfounded(Exception):
    """A log that does not even begin as logs do."""

    def __init__(self, finding: Finding) -> None:
        """`finding` says what is wrong."""
        super().__init__(str(finding))
        self.finding = finding


@contextmanager
def unreadable() -> Iterator[None]:
    """Turn what a store refuses into a message and exit code 3."""
    try:
        yield
    except StoreError as error:
        raise CannotRead(str(error)) from error


def open_location(location: str) -> ErasableStore:
    """Return the store at an address or in a folder. Raise `click.UsageError` or `CannotRead` where there is none."""
    scheme, is_address, _ = location.partition("://")
    if is_address and scheme not in ("file", *BUCKET_SCHEMES):
        raise click.UsageError(f"{location} is neither a folder nor an address; those begin with s3, gs, az or file.")
    with unreadable():
        store = open_store(location if is_address else f"file://{Path(location).absolute()}")
        if store.url.startswith("file://") and not (folder := Path(store.url.removeprefix("file://"))).is_dir():
            raise StoreUnavailable(f"There is no folder {folder}. Give the one that holds v1/, or a bucket's address.")
        return store


def required_people(location: str | None) -> str:
    """Return where people's names lie, or raise `click.UsageError`."""
    if location is None:
        raise click.UsageError(
            "Say where people's names lie: --people LOCATION, which is audit.people in the operator's settings."
        )
    return location


async def known_people(location: str | None) -> Mapping[str, Person]:
    """Return the people behind a log's pseudonyms, by pseudonym; nobody where no place is named."""
    if location is None:
        return {}
    from curfew.storage.people import People  # it brings half the operator with it, and most logs hold names

    return await People(open_location(location), SystemClock()).by_pseudonym()


async def list_log(store: ObjectStore, log: str, *, may_be_empty: bool = False) -> list[str]:
    """Return the names of a log's objects, in order. Raise `CannotRead` where there is no such log but should be."""
    strangers = 0

    def keep(name: str) -> bool:
        nonlocal strangers
        if place(log, name) >= 0:
            return True
        strangers += 1
        return strangers <= MOST_STRANGERS

    names = in_order(log, await store.list(prefix(log), keep=keep))
    if strangers > MOST_STRANGERS:
        click.echo(
            f"There are {strangers:,} objects that do not belong to log {log}; {MOST_STRANGERS:,} are named.", err=True
        )
    if not names and not may_be_empty:
        raise CannotRead(await _no_log(store, log))
    return names


async def _no_log(store: ObjectStore, log: str) -> str:
    found = [name.rstrip("/").rpartition("log=")[2] for name in await store.list_partitions("v1/")]
    if found:
        return f"There is no log {log} at {store.url}. There is: {', '.join(found)}. Choose with --log."
    return (
        f"There is no log at {store.url}. Give the address that the operator writes to (audit.url in its settings), "
        "or the folder that holds v1/."
    )


async def read(store: ObjectStore, log: str, names: Sequence[str]) -> AsyncGenerator[tuple[str, bytes]]:
    """Yield objects in the order of their names, asking for some of them ahead.

    What has no name of a segment of the log is not read, and comes without bytes.
    """
    waiting: deque[tuple[str, asyncio.Task[bytes]]] = deque()
    rest = iter(names)
    try:
        while True:
            while len(waiting) < _AHEAD and (name := next(rest, None)) is not None:
                waiting.append((name, asyncio.create_task(store.get(name) if place(log, name) >= 0 else _nothing())))
            if not waiting:
                return
            name, task = waiting.popleft()
            yield name, await task
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


async def _nothing() -> bytes:
    return b""


def read_file(file: Path, most: int) -> bytes:
    """Return what a file holds. Raise `CannotRead` for one that cannot be read, or is larger than so many bytes."""
    try:
        return read_given(file, most)
    except OSError as error:
        raise CannotRead(f"{file} cannot be read: {error}.") from error


def given_key(text: str | None, file: Path | None, log: str) -> Verifier | None:
    """Return the key that was given, or None. Raise `click.UsageError` for one that cannot be this log's."""
    verifier = read_key(text, file)
    if verifier is not None and verifier.name != origin(log):
        raise click.UsageError(f"The key is of {verifier.name}; log {log} has one of {origin(log)}.")
    return verifier


def read_key(text: str | None, file: Path | None) -> Verifier | None:
    """Return the key that was given, of whatever log, or None. Raise `click.UsageError` for one that is malformed."""
    if text is not None and file is not None:
        raise click.UsageError("Give --key or --key-file, not both.")
    if file is not None:
        text = read_file(file, MOST_KEY).decode(errors="replace")
    if text is None:
        return None
    try:
        return Verifier.parse(text)
    except KeyRefused as error:
        raise click.UsageError(f"The key cannot be used: {error}.") from error


async def announced(store: ObjectStore, log: str, names: Sequence[str], beginning: Beginning | None = None) -> Verifier:
    """Return the key that the log names in its first record, or where it states its beginning.

    Raise `Unfounded` if it names none that can be.
    """
    if beginning is not None:
        return beginning.verifier
    first = Head.genesis(log).next_name()

    def unfounded(kind: Kind, why: str) -> Unfounded:
        why += ". What else there is can be checked with --key"
        return Unfounded(Finding(kind, f"segment 0 ({first})", why, 0, first))

    if first not in names:
        seq = next((seq for seq in (place(log, name) for name in names) if seq >= 0), None)
        there = "no segment is there" if seq is None else f"the first that is there is segment {seq}"
        raise unfounded(Kind.MISSING, f"is missing: {there}, and nothing states that the log begins there")
    try:
        verifier = Verifier.parse(announced_key(await store.get(first)) or "")
    except KeyRefused as error:
        raise unfounded(Kind.ALTERED, "names no key that can be read: it was altered or cut off") from error
    if verifier.name != origin(log):
        raise unfounded(Kind.ALTERED, f"names a key of {verifier.name}, which is another log")
    return verifier


async def last_key(store: ObjectStore, log: str, names: Sequence[str], first: Verifier) -> Verifier:
    """Return the key that seals what comes next in a log, to which the key of its first segment leads.

    Each handing over is looked for by halves, because a key seals all up to it and nothing after. Where none is found,
    that of the last key that was is returned, and whoever reads the end with it hears what is wrong.
    """

    async def opened(place: int, verifier: Verifier) -> Segment | None:
        try:
            return resume(names[place], await store.get(names[place]), verifier, log)[0]
        except ChainBroken:
            return None

    verifier, low = first, 0
    while True:
        segment = await opened(len(names) - 1, verifier)
        high = len(names)
        if segment is None:
            high -= 1
            segment = await opened(low, verifier)
            while segment is not None and high - low > 1:
                middle = (low + high) // 2
                found = await opened(middle, verifier)
                segment, low, high = (found, middle, high) if found is not None else (segment, low, middle)
        following = _after(segment, verifier)
        if following == verifier:
            return verifier
        verifier, low = following, high
        if high == len(names):
            return verifier


def _after(segment: Segment | None, verifier: Verifier) -> Verifier:
    try:
        return successor(segment, verifier) if segment is not None else verifier
    except ChainBroken:
        return verifier


@dataclass(frozen=True, slots=True)
class Kept:
    """An anchor as it was given."""

    anchor: Anchor
    note: str | None = None  # the signed checkpoint that it was read from, if it was

    def forgery(self, keys: Iterable[Verifier]) -> str | None:
        """Return the sentence about a checkpoint that none of a log's keys has signed, or None."""
        refusal: NoteRefused | None = None
        for verifier in keys if self.note is not None else ():
            try:
                open_note(self.note or "", verifier)
            except NoteRefused as error:
                refusal = refusal or error
            else:
                return None
        if refusal is None:
            return None
        return (
            f"{self.anchor.source} does not belong to this log: {refusal}. Either the log was replaced by another, or the "
            "checkpoint was"
        )


def read_anchors(text: str, log: str) -> list[Kept]:
    """Read an anchor, or all that are in a file, in any of their forms. Raise `click.UsageError` where there is none."""
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
            raise click.UsageError(f"The receipt{inside} is of log {anchor.log}; choose that with --log {anchor.log}.")
        return Kept(Anchor.of_receipt(anchor, f"the receipt of record {anchor.index}{inside}"))
    checkpoint = claimed(anchor)
    if checkpoint.origin != origin(log):
        raise click.UsageError(f"The checkpoint{inside} is of {checkpoint.origin}; log {log} is {origin(log)}.")
    return Kept(Anchor.of_checkpoint(checkpoint, f"the checkpoint{inside}"), anchor)


def read_witness(file: Path, log: str) -> Witness:
    """Read the state that an earlier verification has saved. Raise `click.UsageError` for what is none of this log."""
    try:
        witness = Witness.from_json(parse_given(read_file(file, MOST_GIVEN)))
    except ValueError as error:
        raise click.UsageError(
            f"The saved state in {file} cannot be used: {error}. Verify the whole log again, with --save {file}."
        ) from error
    if witness.head.log != log:
        raise click.UsageError(f"The saved state in {file} is of log {witness.head.log}, and not of {log}.")
    return witness


def read_receipt(text: str) -> Receipt | None:
    """Return the receipt that a text is, or the first that the file of that name holds; None where there is none."""
    try:
        content = read_given(Path(text), MOST_GIVEN).decode() if _is_file(text) else text
        return next((anchor for anchor in anchors_in(content) if isinstance(anchor, Receipt)), None)
    except (OSError, ValueError):
        return None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return False
