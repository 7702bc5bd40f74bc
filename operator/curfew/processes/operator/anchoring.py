"""Puts the newest checkpoint where others keep it: an anchor that shows whether the log was cut off at its end.

The checkpoint is written to a ConfigMap that the chart makes. Nothing waits for it, and a failure only causes a count and a
line in the log. A checkpoint is never replaced by a smaller one: a log that holds less than it once did was cut off.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from curfew.api.names import CHECKPOINT_CONFIG_MAP, CHECKPOINT_KEY
from curfew.audit.checkpoint import Checkpoint, NoteRefused, Verifier, open_note
from curfew.audit.unverified_seal import checkpoint_in
from curfew.ports import ClusterError, Noticeboard, Unavailable

log = structlog.get_logger("curfew")


class AnchorObserver(Protocol):
    """Counts the attempts."""

    def anchored(self, size: int) -> None:
        """A checkpoint of a log of this size was put up."""
        ...

    def not_anchored(self, reason: str) -> None:
        """A checkpoint was not put up: Unavailable, Refused, Missing or Ahead."""
        ...


class Anchoring:
    """Puts up the checkpoint of the newest segment, at most once in a while and only when the log has grown."""

    def __init__(
        self,
        board: Noticeboard,
        namespace: str,
        verifiers: Sequence[Verifier],
        observer: AnchorObserver,
        *,
        every: timedelta = timedelta(seconds=5),
        again: timedelta = timedelta(seconds=30),
    ) -> None:
        """`verifiers` are the keys that are trusted for the log's size. `again`: how soon to try again after a failure."""
        self._board = board
        self._namespace = namespace
        self._verifiers = verifiers
        self._observer = observer
        self._every = every.total_seconds()
        self._again = again.total_seconds()
        self._size = 0
        self._newest = b""  # the segment with the newest checkpoint; opened only when it is put up
        self._grown = asyncio.Event()
        self._trouble = ""

    def appended(self, size: int, stored: bytes) -> None:
        """Take a segment, and the size of the log after it. Returns at once."""
        if size > self._size:
            self._size, self._newest = size, stored
            self._grown.set()

    async def run(self) -> None:
        """Put up new checkpoints, until cancelled."""
        while True:
            await self._grown.wait()
            self._grown.clear()
            size, stored = self._size, self._newest
            try:
                reason, problem = await self._put_up(size, checkpoint_in(stored))
            except ClusterError as error:
                reason, problem = "Unavailable" if isinstance(error, Unavailable) else "Refused", str(error)
            if not reason:
                self._trouble = ""
                self._observer.anchored(size)
                await asyncio.sleep(self._every)
                continue
            self._observer.not_anchored(reason)
            if problem != self._trouble:
                self._trouble = problem
                say = log.error if reason == "Ahead" else log.warning
                say("the newest checkpoint is not on the ConfigMap", reason=reason, problem=problem)
            self._grown.set()
            await asyncio.sleep(self._again)

    async def _put_up(self, size: int, note: str) -> tuple[str, str]:
        """Put a checkpoint up. If that fails, return why, in one word and in a sentence; otherwise both are empty."""
        where = f"ConfigMap {self._namespace}/{CHECKPOINT_CONFIG_MAP}"
        there = await self._board.get_config_map(self._namespace, CHECKPOINT_CONFIG_MAP)
        if there is None:
            return "Missing", f"There is no {where}; the chart creates it."
        old = (there.get("data") or {}).get(CHECKPOINT_KEY, "")
        known = self._opened(old)
        if known is not None and (known.size > size or (known.size == size and old != note)):
            return "Ahead", (
                f"{where} holds a checkpoint of {known.size} records, but the log now holds {size} records, or other "
                "ones: the log was cut off or replaced. Keep the ConfigMap, and compare it with the log: curfew audit "
                "verify --anchor FILE."
            )
        if known is None and old:
            log.warning("a checkpoint of another key is replaced", config_map=where, note=old)
        await self._board.patch_config_map(
            self._namespace, CHECKPOINT_CONFIG_MAP, there["metadata"]["resourceVersion"], {CHECKPOINT_KEY: note}
        )
        return "", ""

    def _opened(self, note: str) -> Checkpoint | None:
        for verifier in self._verifiers:
            try:
                return open_note(note, verifier)
            except NoteRefused:
                continue
        return None
