"""A log in a store: the names of its objects, the objects in order, and the keys that it names."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.findings import Finding, Kind
from curfew.audit.places import in_order, place
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, announced_key, origin, prefix, resume
from curfew.ports import ObjectStore
from curfew.reader.errors import CannotRead, Unfounded

_AHEAD = 32
"""How many objects are requested before their turn. With `ports.MOST_READ` this bounds the memory: 130 MiB."""

MOST_STRANGERS = 1000
"""How many objects that do not belong to a log are named."""


async def list_log(
    store: ObjectStore, log: str, *, may_be_empty: bool = False, note: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Return the names of a log's objects, in order. Raise `CannotRead` if the log does not exist but should.

    `note` is called with a sentence if there are more objects than are listed.
    """
    strangers = 0

    def keep(name: str) -> bool:
        nonlocal strangers
        if place(log, name) >= 0:
            return True
        strangers += 1
        return strangers <= MOST_STRANGERS

    names = in_order(log, await store.list(prefix(log), keep=keep))
    if strangers > MOST_STRANGERS:
        note(
            f"There are {strangers:,} objects that do not belong to log {log}; only {MOST_STRANGERS:,} of them are listed."
        )
    if not names and not may_be_empty:
        raise CannotRead(await _no_log(store, log))
    return names


async def _no_log(store: ObjectStore, log: str) -> str:
    found = [name.rstrip("/").rpartition("log=")[2] for name in await store.list_partitions("v1/")]
    if found:
        return f"There is no log {log} at {store.url}. The logs there: {', '.join(found)}. Choose one with --log."
    return (
        f"There is no log at {store.url}. Give the address that the operator writes to (audit.url in its settings), "
        "or the folder that holds v1/."
    )


async def read(store: ObjectStore, log: str, names: Sequence[str]) -> AsyncGenerator[tuple[str, bytes]]:
    """Yield objects in the order of their names, requesting some of them ahead.

    An object without the name of a segment of the log is not read, and comes without bytes.
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


async def announced(store: ObjectStore, log: str, names: Sequence[str], beginning: Beginning | None = None) -> Verifier:
    """Return the key that the log names in its first record, or where it states its beginning.

    Raise `Unfounded` if it names no valid key.
    """
    if beginning is not None:
        return beginning.verifier
    first = Head.genesis(log).next_name()

    def unfounded(kind: Kind, why: str) -> Unfounded:
        why += ". Give --key to check the rest of the log"
        return Unfounded(Finding(kind, f"segment 0 ({first})", why, 0, first))

    if first not in names:
        seq = next((seq for seq in (place(log, name) for name in names) if seq >= 0), None)
        there = "no segment is there" if seq is None else f"the first segment present is {seq}"
        raise unfounded(Kind.MISSING, f"is missing: {there}, and nothing states that the log begins there")
    try:
        verifier = Verifier.parse(announced_key(await store.get(first)) or "")
    except KeyRefused as error:
        raise unfounded(Kind.ALTERED, "names no key that can be read: it was altered or cut off") from error
    if verifier.name != origin(log):
        raise unfounded(Kind.ALTERED, f"names a key of {verifier.name}, which is another log")
    return verifier


async def last_key(store: ObjectStore, log: str, names: Sequence[str], first: Verifier) -> Verifier:
    """Return the key that seals the next segment of a log; the key of its first segment leads to it.

    Each rotation is found by binary search, because a key seals all segments up to its rotation and none after. If no
    rotation is found, the last key that was found is returned, and the caller who reads the end with it gets the fault.
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
