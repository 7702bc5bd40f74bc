"""Keys to sign a log with, and a log that one of them has signed."""

import threading
from collections.abc import Callable

from curfew.audit.checkpoint import Ed25519Signer, Verifier
from tests.support.stores import MemoryStore
from tests.support.trail import (
    OTHER_SIGNER,
    SIGNER,
    a_trail,
    records,
    running,
    settle,
)

OLD, NEW = SIGNER, OTHER_SIGNER


class Elsewhere:
    """A key that is held elsewhere, as by a key management service."""

    is_remote = True

    def __init__(self, key: Ed25519Signer = SIGNER, answer: Callable[[], object] = lambda: None) -> None:
        """`answer` is called before each signature; it may take its time, or raise."""
        self._key = key
        self._answer = answer
        self.threads: list[str] = []
        self.is_asked = threading.Event()

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._key.verifier

    def sign(self, message: bytes) -> bytes:
        """Sign, after the answer."""
        self.threads.append(threading.current_thread().name)
        self.is_asked.set()
        self._answer()
        return self._key.sign(message)


async def a_log_of(signer: Ed25519Signer = OLD) -> MemoryStore:
    """Return a store with a log that a key has signed: records 1 to 3."""
    store = MemoryStore()
    async with running(trail := a_trail(store, signer=signer)):
        trail.submit(records(1, 3))
        await settle()
    return store
