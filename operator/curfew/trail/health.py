"""Keeps the health of a log: gathers the findings, and announces them when they should be reported."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from curfew.core.facts import TrailState
from curfew.core.trail_state import (
    Outage,
    TrailFindings,
    TrailReason,
    TrailTrouble,
    is_worth_a_word,
    judge_trail,
    silence,
)
from curfew.ports import Attestation, Clock

Health = TrailState
"""Frozen: ok, a CamelCase reason, a sentence for people, since when, and whether the log was read since the start."""


class HealthKeeper:
    """Combines what the writer, the reader at the start and the attestor find into one `Health`.

    A single failure that is followed at once by a success is not announced. Trouble is announced with the second failure in
    a row, or `patience` after the first, or when a call has gone unanswered for `slow`, whichever comes first. Trouble that
    does not pass by itself is announced at once.
    """

    def __init__(
        self,
        clock: Clock,
        changed: Callable[[Health], None],
        *,
        worm_required: bool,
        is_standing_by: bool = False,
        patience: timedelta = timedelta(seconds=1),
        slow: timedelta = timedelta(seconds=3),
    ) -> None:
        """Begin in the state `Opening`, or in `NotLeading`. `changed` is called with each new health."""
        self._clock = clock
        self._changed = changed
        self._patience = patience
        self._slow = slow
        self._worm_required = worm_required
        self._found = TrailFindings(needs_proof=worm_required, is_standing_by=is_standing_by)
        self._began: datetime | None = None  # the call under way, or the first of those that failed
        self._trouble: TrailTrouble | None = None  # the latest, announced or not
        self._timer: asyncio.TimerHandle | None = None
        self._health = judge_trail(self._found, None, now=clock.now())

    @property
    def health(self) -> Health:
        """The health that is announced now."""
        return self._health

    def start_over(self, *, is_standing_by: bool) -> None:
        """Forget everything that was found: the log is to be opened anew, or another process appends to it."""
        self._cancel_timer()
        self._began = self._trouble = None
        self._learn(TrailFindings(needs_proof=self._worm_required, is_standing_by=is_standing_by))

    def opened(self) -> Outage | None:
        """Note that the log was read, which is a success."""
        self._found = replace(self._found, is_open=True)
        return self.succeeded()

    def stopped(self, message: str) -> None:
        """Note that nothing will be written any more."""
        self._learn(replace(self._found, stopped=message))

    def rest(self) -> None:
        """Stop making announcements by timer."""
        self._cancel_timer()

    def attested(self, attestation: Attestation) -> None:
        """Note what was proved about the store."""
        shortcomings = " ".join(attestation.findings)
        self._learn(replace(self._found, is_proved=attestation.sufficient, shortcomings=shortcomings))

    def not_attested(self, message: str) -> None:
        """Note that the store could not be asked for proof. What was proved before still counts."""
        self._learn(replace(self._found, not_asked=message))

    def reread(self, discrepancy: str | None) -> None:
        """Note what does not read back as it was stored; None if everything that was checked does."""
        self._learn(replace(self._found, discrepancy=discrepancy))

    def trying(self, reason: TrailReason = TrailReason.STORE_UNAVAILABLE, who: str = "The store") -> None:
        """Note that a call to `who` begins. If the call is not answered, that is trouble for this reason."""
        self._began = self._began or self._clock.now()
        if self._trouble is None:
            self._arm(self._slow, silence(reason, who, after=self._slow))

    def failed(self, trouble: TrailTrouble) -> None:
        """Note that a call failed."""
        self._began = self._began or self._clock.now()
        if is_worth_a_word(trouble, is_first=self._trouble is None):
            self._announce(trouble)
        else:
            self._trouble = trouble
            self._arm(self._patience, trouble)

    def succeeded(self) -> Outage | None:
        """Note that a call succeeded. Return the outage that it ended, if one had been announced."""
        outage, announced = None, self._found.trouble
        if announced is not None and self._began is not None:
            outage = Outage(self._began, self._clock.now(), announced)
        self._cancel_timer()
        self._began = self._trouble = None
        self._learn(replace(self._found, trouble=None) if announced is not None else self._found)
        return outage

    def _arm(self, after: timedelta, trouble: TrailTrouble) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(after.total_seconds(), self._announce, trouble)

    def _announce(self, trouble: TrailTrouble) -> None:
        self._cancel_timer()
        self._trouble = trouble
        self._learn(replace(self._found, trouble=trouble))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _learn(self, found: TrailFindings) -> None:
        self._found = found
        new = judge_trail(found, self._health, now=self._clock.now())
        if new != self._health:
            self._health = new
            self._changed(new)
