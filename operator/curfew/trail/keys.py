"""Who signs the log: the key to be used, the key before it, and which of the two signs the log now.

A key management service may make the signature, which takes long and can fail. Then the call runs in a thread, so that
nothing else waits for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from curfew.audit.checkpoint import Signer, SigningFailed, Verifier
from curfew.audit.record import Record
from curfew.audit.rotation import rotation

R = TypeVar("R")

THREADS = 4
"""How many signatures may be under way. More than one, because a call that was given up may still hold its thread."""


class KeyUnknown(Exception):
    """The log is signed with a key that we do not have or cannot use. `str(error)` is a sentence for people."""


class Keys:
    """The keys of one log: the key to be used, and the key before it if that may still sign the log."""

    def __init__(self, signer: Signer, previous: Signer | None = None, *, patience: timedelta) -> None:
        """Wait at most `patience` for a signature of a key that is held elsewhere."""
        self._signer = signer
        self._previous = previous
        self._patience = patience.total_seconds()
        self._now = signer  # the signer of the next segment
        self._executor: ThreadPoolExecutor | None = None

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The keys that a segment of ours may be signed with, the newest first."""
        return tuple(signer.verifier for signer in (self._signer, self._previous) if signer is not None)

    @property
    def verifier(self) -> Verifier:
        """The key that signs the next segment, no matter which process writes it."""
        return self._now.verifier

    @property
    def is_old(self) -> bool:
        """Whether the log must still be handed over to the key that is to be used."""
        return self._now is not self._signer

    def use(self, verifier: Verifier) -> None:
        """Continue with the key that signs the log from here on, or raise `KeyUnknown` if we do not have this key."""
        for signer in (self._signer, self._previous):
            if signer is not None and signer.verifier == verifier:
                self._now = signer
                return
        raise KeyUnknown(
            f"The log is signed with key {verifier.key_hash.hex()} from here on, but this process has only "
            f"{' and '.join(known.key_hash.hex() for known in self.verifiers)}. Set audit.keyFile to the newest key."
        )

    def handed_over(self) -> None:
        """Continue with the key that is to be used: the log has been handed over to it."""
        self._now = self._signer

    async def rotation(self, log: str, *, at: datetime) -> Record:
        """Return the record that hands the log over to the key that is to be used, or raise `SigningFailed`."""
        return await self._apart(lambda _: rotation(log, at=at, old=self._now, new=self._signer), self._signer)

    async def sign(self, act: Callable[[Signer], R]) -> R:
        """Call `act` with the key that signs now and return its result, or raise `SigningFailed`."""
        return await self._apart(act, self._now)

    async def signatures(self, statement: Callable[[Verifier], bytes]) -> tuple[bytes, ...]:
        """Return each key's signature of a text that is not part of the log, the newest first; or raise `SigningFailed`.

        `statement` returns the text for a key. Raise `KeyUnknown` for a key that signs the same text differently each time:
        the next process could not use what was made with its signature.
        """
        signatures = []
        for signer in (self._signer, self._previous):
            if signer is None:
                continue
            first, second = [await self._apart(lambda one: one.sign(statement(one.verifier)), signer) for _ in range(2)]
            if first != second:
                raise KeyUnknown(
                    f"Key {signer.verifier.key_hash.hex()} signs the same text differently each time, so Curfew could "
                    "not open its seals after a restart. Use a key that signs as RFC 8032 requires (Ed25519)."
                )
            signatures.append(first)
        return tuple(signatures)

    def close(self) -> None:
        """Stop waiting for the threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    async def _apart(self, act: Callable[[Signer], R], signer: Signer) -> R:
        if not signer.is_remote:
            return act(signer)
        self._executor = self._executor or ThreadPoolExecutor(THREADS, "signing")
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.get_running_loop().run_in_executor(self._executor, act, signer)
        except TimeoutError as error:
            raise SigningFailed(f"The signing key has not answered within {self._patience:g} s.") from error
