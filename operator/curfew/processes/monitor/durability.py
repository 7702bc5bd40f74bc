"""Waits for records to become durable."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from curfew.audit.receipt import Receipt


class Receipts(Protocol):
    """Knows which records are durable."""

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None if the record is not known to be durable."""
        ...


class Durability:
    """Lets many wait for records. `moved` has to be called whenever records have become durable."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._turn = asyncio.Event()

    def moved(self) -> None:
        """Wake those who wait."""
        self._turn.set()
        self._turn = asyncio.Event()

    async def wait(self, log: Receipts, ids: Collection[str], within: timedelta) -> bool:
        """Return True when all records with these ids are durable, or False if that takes longer than `within`."""
        missing = set(ids)
        try:
            async with asyncio.timeout(within.total_seconds()):
                while True:
                    turn = self._turn
                    missing = {id_ for id_ in missing if log.receipt(id_) is None}
                    if not missing:
                        return True
                    await turn.wait()
        except TimeoutError:
            return False
