"""Finds out, again and again, whether the store keeps what was written, and reports it (promises P7, P11).

There are two questions: what proves that the store is write-once, and do segments read back as they were stored?
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Protocol

from curfew.audit.record import Record
from curfew.ports import Attestation, Clock, LockEvidence, ObjectMissing, ObjectStore, StoreError
from curfew.trail import records
from curfew.trail.health import HealthKeeper
from curfew.trail.samples import Discrepancy, Sample, Samples, reread

AGAIN = timedelta(seconds=30)
"""How soon the store is asked again if something was wrong."""

NO_ANSWER_PAUSE = 2.0
"""Seconds until the store is asked again if it did not answer."""

VANISHED = "The newest segment was stored, but can no longer be read."


class AttestationObserver(Protocol):
    """Receives reports. The calls come from the event loop and must not block."""

    def attested(self, attestation: Attestation) -> None:
        """What was proved about the store just now. Called each time."""
        ...

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """A segment does not read back as it was stored. Called once."""
        ...


class Attestor:
    """Asks the store, with the newest segment as the sample."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        keeper: HealthKeeper,
        observer: AttestationObserver,
        submit: Callable[[Iterable[Record]], None],
        *,
        log: str,
        writer: str,
        every: timedelta,
        worm_required: bool,
    ) -> None:
        """Nothing is asked before `run`."""
        self._store = store
        self._clock = clock
        self._keeper = keeper
        self._observer = observer
        self._submit = submit
        self._log = log
        self._writer = writer
        self._every = every
        self._worm_required = worm_required
        self._told: Attestation | None = None
        self._doubted: Discrepancy | None = None

    def start_over(self) -> None:
        """Forget what was found: another process may have written to the log since."""
        self._told = self._doubted = None

    async def run(self, samples: Samples) -> None:
        """Ask until cancelled. `samples` must have a newest segment."""
        while True:
            try:
                await self._reread(samples)
                attestation = await self._attest(samples)
            except StoreError as error:
                self._keeper.not_attested(f"Curfew cannot check yet whether the store is write-once: {error}")
                await asyncio.sleep(NO_ANSWER_PAUSE)
                continue
            is_well = self._doubted is None and (attestation.sufficient or not self._worm_required)
            self._tell(attestation, is_well=is_well)
            await asyncio.sleep((self._every if is_well else min(AGAIN, self._every)).total_seconds())

    async def _reread(self, samples: Samples) -> None:
        """Read segments back: the one that was wrong the last time, the newest, and another one."""
        doubted = self._doubted.sample if self._doubted is not None else None
        wanted: dict[Sample, None] = dict.fromkeys(
            sample for sample in (doubted, samples.newest, samples.draw()) if sample is not None
        )
        found = None
        for sample in wanted:
            found = await reread(self._store, sample)
            if found is not None:
                break
        if found == self._doubted:
            return
        self._doubted = found
        self._keeper.reread(str(found) if found is not None else None)
        if found is None:
            self._told = None  # the next attestation is news again
            return
        self._submit([records.verification_failed(self._log, found, at=self._clock.now(), writer=self._writer)])
        self._observer.verification_failed(found)

    async def _attest(self, samples: Samples) -> Attestation:
        now = self._clock.now()
        if samples.newest is None:
            raise RuntimeError("a log is attested before it has begun")
        try:
            return await self._store.attest(samples.newest.name, now)
        except ObjectMissing:
            return Attestation(now, LockEvidence.NONE, sufficient=False, findings=(VANISHED,))

    def _tell(self, attestation: Attestation, *, is_well: bool) -> None:
        """Pass on what was found. While something is wrong, the store is asked often, and only changes are recorded."""
        old = self._told
        if (
            old is None
            or is_well
            or (attestation.sufficient, attestation.evidence, attestation.findings)
            != (old.sufficient, old.evidence, old.findings)
            or attestation.at - old.at >= self._every
        ):
            self._told = attestation
            self._submit([records.attested(self._log, attestation, url=self._store.url, writer=self._writer)])
        self._keeper.attested(attestation)
        self._observer.attested(attestation)
