"""Whether records become durable now, and if not, why: the one answer that grants wait for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.core.facts import TrailState
from curfew.ports import Attestation, Clock

Health = TrailState
"""Frozen: ok, a CamelCase reason, a sentence for people, since when, and whether the log was read since the start."""


class TrailReason(StrEnum):
    """The words for the trail's health: in conditions, Events, metrics and logs."""

    WRITING = "Writing"  # records become durable
    OPENING = "Opening"  # the log is being read
    STORE_UNAVAILABLE = "StoreUnavailable"  # the store does not answer, or refuses
    SLOT_TAKEN = "SlotTaken"  # something that is no segment has the only name that the next one can have
    SIGNING_FAILED = "SigningFailed"  # whoever holds the key does not answer, or refuses
    KEY_UNKNOWN = "KeyUnknown"  # the log is signed with a key that we do not have
    CHAIN_BROKEN = "ChainBroken"  # what is stored is not a whole log of ours
    VERIFICATION_FAILED = "VerificationFailed"  # a segment does not read back as it was stored
    NOT_YET_PROVED = "NotYetProved"  # it is being found out whether the store is write-once
    NOT_WRITE_ONCE = "NotWriteOnce"  # it is not, and it must be
    STOPPED = "Stopped"  # the writer has ended


@dataclass(frozen=True, slots=True)
class TrailTrouble:
    """Why nothing can be read or written."""

    reason: TrailReason
    message: str
    lasts: bool = False  # it does not pass by itself, so there is no waiting to see


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing could be written."""

    since: datetime
    until: datetime
    trouble: TrailTrouble


class HealthKeeper:
    """Puts together what the writer, the reader at the start and the attestor find into one `Health`.

    A single failure that is made good at once is not worth a word. Trouble is announced with the second failure in a
    row, or `patience` after the first, or when a call has gone unanswered for `slow`; whichever comes first. What does
    not pass by itself is announced at once.
    """

    def __init__(
        self,
        clock: Clock,
        changed: Callable[[Health], None],
        *,
        worm_required: bool,
        patience: timedelta = timedelta(seconds=1),
        slow: timedelta = timedelta(seconds=3),
    ) -> None:
        """Begin as opening; `changed` is called with each new health."""
        self._clock = clock
        self._changed = changed
        self._worm_required = worm_required
        self._patience = patience.total_seconds()
        self._slow = slow.total_seconds()
        self._is_open = False
        self._stopped: str | None = None
        self._attestation: Attestation | None = None
        self._not_asked: str | None = None
        self._discrepancy: str | None = None
        self._began: datetime | None = None  # the call under way, or the first of those that failed
        self._trouble: TrailTrouble | None = None  # the latest, announced or not
        self._is_announced = False
        self._timer: asyncio.TimerHandle | None = None
        reason, message = self._answer()
        self._health = Health(ok=False, reason=reason, message=message, since=clock.now(), is_open=False)

    @property
    def health(self) -> Health:
        """What is said now."""
        return self._health

    def opened(self) -> Outage | None:
        """Note that the log was read, which is a success."""
        self._is_open = True
        return self.succeeded()

    def stopped(self, message: str) -> None:
        """Say that nothing will be written any more."""
        self._stopped = message
        self._update()

    def rest(self) -> None:
        """Announce nothing more by itself."""
        self._cancel_timer()

    def attested(self, attestation: Attestation) -> None:
        """Say what was proved of the store."""
        self._attestation = attestation
        self._update()

    def not_attested(self, message: str) -> None:
        """Say that the store could not be asked for proof. What was proved before is taken to hold."""
        self._not_asked = message
        self._update()

    def reread(self, discrepancy: str | None) -> None:
        """Say what does not read back as it was stored; None when all does that was looked at."""
        self._discrepancy = discrepancy
        self._update()

    def trying(self, reason: TrailReason = TrailReason.STORE_UNAVAILABLE, who: str = "The store") -> None:
        """Note that a call begins, to somebody whose silence is trouble for that reason."""
        self._began = self._began or self._clock.now()
        if self._trouble is None:
            self._arm(self._slow, TrailTrouble(reason, f"{who} has not answered for {self._slow:g} s."))

    def failed(self, trouble: TrailTrouble) -> None:
        """Note that a call failed."""
        is_first = self._trouble is None
        self._began = self._began or self._clock.now()
        if is_first and not trouble.lasts:
            self._trouble = trouble
            self._arm(self._patience, trouble)
        else:
            self._announce(trouble)

    def succeeded(self) -> Outage | None:
        """Note that a call succeeded. Return the outage that it ended, if one had been announced."""
        outage = None
        if self._is_announced and self._trouble is not None and self._began is not None:
            outage = Outage(self._began, self._clock.now(), self._trouble)
        self._cancel_timer()
        self._began = self._trouble = None
        self._is_announced = False
        self._update()
        return outage

    def _arm(self, seconds: float, trouble: TrailTrouble) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._announce, trouble)

    def _announce(self, trouble: TrailTrouble) -> None:
        self._cancel_timer()
        self._trouble = trouble
        self._is_announced = True
        self._update()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _update(self) -> None:
        old, now = self._health, self._clock.now()
        reason, message = self._answer()
        since = old.since if reason == old.reason else now
        new = Health(
            ok=reason is TrailReason.WRITING, reason=reason, message=message, since=since, is_open=self._is_open
        )
        if new != old:
            self._health = new
            self._changed(new)

    def _answer(self) -> tuple[TrailReason, str]:
        """Return the first of these that is so."""
        if self._stopped is not None:
            return TrailReason.STOPPED, self._stopped
        if self._is_announced and self._trouble is not None:
            return self._trouble.reason, self._trouble.message
        if not self._is_open:
            return TrailReason.OPENING, "The log is being read."
        if self._discrepancy is not None:
            return TrailReason.VERIFICATION_FAILED, self._discrepancy
        if self._worm_required:
            if self._attestation is None:
                return TrailReason.NOT_YET_PROVED, self._not_asked or "That the store is write-once is being proved."
            if not self._attestation.sufficient:
                return TrailReason.NOT_WRITE_ONCE, " ".join(self._attestation.findings)
        return TrailReason.WRITING, "Records become durable."
