"""How the audit commands get at a log: where it is, which key signed it, which anchors speak of it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import BUCKET_SCHEMES, open_store
from curfew.audit.checkpoint import KeyRefused, NoteRefused, Verifier, open_note
from curfew.audit.findings import Anchor, Finding, Kind
from curfew.audit.pseudonyms import Person
from curfew.audit.receipt import Receipt
from curfew.audit.segment import Head, announced_key, origin, prefix
from curfew.audit.verify import in_order, place
from curfew.ports import ErasableStore, ObjectStore, StoreError, StoreUnavailable
from curfew.trail.people import People

VERIFIED, TAMPERED, USAGE, UNREADABLE = 0, 1, 2, 3
"""Exit codes of the audit commands."""

_AHEAD = 32  # objects asked for before their turn


class CannotRead(click.ClickException):
    """The log cannot be read, which says nothing about whether it was tampered with."""

    exit_code = UNREADABLE


class Unfounded(Exception):
    """A log that does not even begin as logs do."""

    def __init__(self, finding: Finding) -> None:
        """`finding` says what is wrong."""
        super().__init__(str(finding))
        self.finding = finding


class Forged(Exception):
    """An anchor that the log's key did not sign. `str(error)` says which."""


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
    return await People(open_location(location), SystemClock()).by_pseudonym() if location is not None else {}


async def list_log(store: ObjectStore, log: str, *, may_be_empty: bool = False) -> list[str]:
    """Return the names of a log's objects, in order. Raise `CannotRead` where there is no such log but should be."""
    names = in_order(log, await store.list(prefix(log)))
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


async def read(store: ObjectStore, names: Sequence[str]) -> AsyncGenerator[tuple[str, bytes]]:
    """Yield objects in the order of their names, asking for some of them ahead."""
    waiting: deque[tuple[str, asyncio.Task[bytes]]] = deque()
    rest = iter(names)
    try:
        while True:
            while len(waiting) < _AHEAD and (name := next(rest, None)) is not None:
                waiting.append((name, asyncio.create_task(store.get(name))))
            if not waiting:
                return
            name, task = waiting.popleft()
            yield name, await task
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


def given_key(text: str | None, file: Path | None, log: str) -> Verifier | None:
    """Return the key that was given, or None. Raise `click.UsageError` for one that cannot be this log's."""
    if text is not None and file is not None:
        raise click.UsageError("Give --key or --key-file, not both.")
    if file is not None:
        text = file.read_text(errors="replace")
    if text is None:
        return None
    try:
        verifier = Verifier.parse(text)
    except KeyRefused as error:
        raise click.UsageError(f"The key cannot be used: {error}.") from error
    if verifier.name != origin(log):
        raise click.UsageError(f"The key is of {verifier.name}; log {log} has one of {origin(log)}.")
    return verifier


async def announced(store: ObjectStore, log: str, names: Sequence[str]) -> Verifier:
    """Return the key that the log names in its first record, or raise `Unfounded` where it names none that can be."""
    first = Head.genesis(log).next_name()

    def unfounded(kind: Kind, why: str) -> Unfounded:
        why += ". What else there is can be checked with --key"
        return Unfounded(Finding(kind, f"segment 0 ({first})", why, 0, first))

    if first not in names:
        seq = next((seq for seq in (place(log, name) for name in names) if seq >= 0), None)
        there = "no segment is there" if seq is None else f"the first that is there is segment {seq}"
        raise unfounded(Kind.MISSING, f"is missing: {there}")
    try:
        verifier = Verifier.parse(announced_key(await store.get(first)) or "")
    except KeyRefused as error:
        raise unfounded(Kind.ALTERED, "names no key that can be read: it was altered or cut off") from error
    if verifier.name != origin(log):
        raise unfounded(Kind.ALTERED, f"names a key of {verifier.name}, which is another log")
    return verifier


def read_anchor(text: str, log: str) -> Callable[[Verifier], Anchor]:
    """Read an anchor, in any of its forms, and return what checks it. Raise `click.UsageError` for what is none.

    What is returned raises `Forged` for a checkpoint that the key did not sign.
    """
    content, inside = text, ""
    if _is_file(text):
        try:
            content, inside = Path(text).read_text(), f" in {Path(text).name}"
        except (OSError, ValueError) as error:
            raise click.UsageError(f"The anchor in {text} cannot be read: {error}.") from error
    if content.startswith(f"{origin(log)}\n"):
        return lambda verifier: _open_checkpoint(content, f"the checkpoint{inside}", verifier)
    try:
        receipt = (
            Receipt.from_json(_receipt_in(json.loads(content))) if "{" in content else Receipt.parse(content.strip())
        )
    except (ValueError, RecursionError) as error:
        no_file = "" if inside else "there is no file of that name, and "
        raise click.UsageError(
            f"The anchor{inside} cannot be used: {no_file}{error}. An anchor is a receipt "
            f"(log/index/size/root, or JSON), a signed checkpoint of {origin(log)}, or a file that holds one of these."
        ) from error
    if receipt.log != log:
        raise click.UsageError(f"The receipt{inside} is of log {receipt.log}; choose that with --log {receipt.log}.")
    return lambda _: Anchor.of_receipt(receipt, f"the receipt of record {receipt.index}{inside}")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return False


def _receipt_in(value: object) -> dict[str, object]:
    """Return the receipt in JSON, which may be a whole AccessRequest as kubectl prints it."""
    if not isinstance(value, dict):
        raise ValueError("it is JSON, but no receipt")  # noqa: TRY004  the caller knows one way of being wrong
    for path in (("status", "grant", "receipt"), ("grant", "receipt"), ("receipt",)):
        inner: object = value
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            return inner
    return value


def _open_checkpoint(content: str, source: str, verifier: Verifier) -> Anchor:
    try:
        return Anchor.of_checkpoint(open_note(content, verifier), source)
    except NoteRefused as error:
        raise Forged(
            f"{source} does not belong to this log: {error}. Either the log was replaced by another, or the checkpoint was"
        ) from error
