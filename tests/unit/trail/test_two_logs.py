"""The appender writes any log: what a process recalls of its own is its own affair."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.adapters.objectstore.folder import FolderStore
from curfew.audit.carried import STORIES_OPEN
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.places import in_order
from curfew.audit.record import CURFEW, Record, make_record
from curfew.audit.segment import Head, follow, origin, prefix
from curfew.audit.verify import verify
from curfew.trail import Appender
from curfew.trail.memory import Memory
from curfew.trail.recovery import records_of
from tests.support.trail import LOG, SIGNER, START, LoopClock, Observer, a_record, a_story, a_trail, running, until

pytestmark = pytest.mark.looptime

OTHER_LOG = "activity"
OTHER_KEY = Ed25519Signer(origin(OTHER_LOG), Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
SECONDS = 7 * 3600  # in which one set of open stories is due


def an_appender(store: FolderStore, observer: Observer) -> Appender[Memory]:
    """Return what appends to another log than the operator's, and remembers nothing but its records."""
    remember = partial(Memory, OTHER_LOG)
    return Appender(
        store,
        LoopClock(),
        OTHER_KEY,
        OTHER_LOG,
        "curfew-1",
        observer=observer,
        remember=remember,
        worm_required=False,
        jitter=lambda: 1.0,
    )


def something_seen(number: int) -> Record:
    """Return a record of which no request knows; its event is as good as another."""
    return make_record(
        "audit.cluster_set_back", at=START, actor=CURFEW, message="Seen.", subject="seen", qualifier=str(number)
    )


async def events(store: FolderStore, log: str, signer: Ed25519Signer) -> list[str]:
    """Return the events of a log that the verifier finds whole, in order."""
    names = in_order(log, await store.list(prefix(log)))
    objects = [(name, await store.get(name)) for name in names]
    verified = verify(log, objects, signer.verifier)
    assert (verified.head.seq, verified.voided) == (len(objects) - 1, ())
    head, found = Head.genesis(log), []
    for name, stored in objects:
        segment, head = follow(head, name, stored, signer.verifier)
        found += [record.event for record in records_of(segment)]
    return found


async def test_two_logs_are_written_side_by_side_and_one_of_them_knows_no_request(tmp_path: Path) -> None:
    """Both verify; only the operator's carries open stories forward."""
    store, observer, other_observer = FolderStore(tmp_path), Observer(), Observer()
    trail = a_trail(store, observer, worm_required=False)
    appender = an_appender(store, other_observer)
    opening = a_record(event="request.created", story=a_story("open"))
    async with running(trail), running(appender):
        for number in range(10):
            trail.submit([opening, a_record(number)])
            appender.submit([something_seen(number), something_seen(number)])
            await asyncio.sleep(SECONDS / 10)
        last, other_last = a_record(9).id, something_seen(9).id
        await until(observer, lambda: trail.receipt(last) is not None)
        await until(other_observer, lambda: appender.receipt(other_last) is not None)
        assert trail.open_stories().keys() == {"open"}

    told, other_told = await events(store, LOG, SIGNER), await events(store, OTHER_LOG, OTHER_KEY)
    assert [event for event in told if not event.startswith("audit.")] == ["request.created"] + [
        "review.submitted"
    ] * 10
    assert told.count(STORIES_OPEN) == 1
    assert other_told.count("audit.cluster_set_back") == 10
    assert other_told.count(STORIES_OPEN) == 0


async def test_a_log_without_requests_is_gone_on_from_and_no_record_is_in_it_twice(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for _ in range(2):
        observer = Observer()
        appender = an_appender(store, observer)
        async with running(appender):
            appender.submit([something_seen(0), something_seen(1)])
            await until(observer, lambda appender=appender: appender.receipt(something_seen(1).id) is not None)  # type: ignore[misc]
            appender.submit([something_seen(0)])
            await asyncio.sleep(60)

    assert (await events(store, OTHER_LOG, OTHER_KEY)).count("audit.cluster_set_back") == 2
