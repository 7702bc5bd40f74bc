"""Whether our admission policies are in force, found out by trying what each of them must refuse.

Promises are kept inside the API server, by policies that whoever administers the cluster can take out of force. So
everything that a policy forbids is tried without effect, every `every`; what is not refused in the policy's own name
means that it is not in force, whatever the reason (unknown means no, promise P8). An API server that does not answer
says nothing of its policies: then the last answer stands.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Final

from curfew.core.facts import EnforcementState
from curfew.core.probes import Attempt, attempts
from curfew.ports import Clock, ClusterError, NotFound, Prober, Unavailable

_SOONER: Final = 6
"""So many times as often it is tried while something is wrong: whoever put it right need not wait."""

_LONGEST: Final = 300
"""Characters kept of what the API server says."""


class EnforcementReason(StrEnum):
    """The words for the state: in conditions, Events, metrics and logs."""

    ENFORCED = "Enforced"
    NOT_YET_PROBED = "NotYetProbed"
    NOT_ENFORCED = "NotEnforced"


class Enforcement:
    """Tries our admission policies again and again, and says when the answer is another one."""

    def __init__(
        self,
        prober: Prober,
        clock: Clock,
        *,
        namespace: str,
        account: str,
        every: timedelta,
        changed: Callable[[EnforcementState], None],
        told: Callable[[str, bool], None],
    ) -> None:
        """Begin without an answer.

        `namespace` is where Curfew is installed, `account` the probe's service account there. `changed` is called with
        each new state, and `told` after every round with each policy and whether it was found in force.
        """
        self._prober = prober
        self._clock = clock
        self._every = every.total_seconds()
        self._changed = changed
        self._told = told
        self._attempts = attempts(namespace, account)
        self._faults: dict[str, str] = {}  # by policy, what is wrong; empty where it is in force
        self._silence = ""  # why there is no answer yet
        reason, message = self._answer()
        self._state = EnforcementState(ok=False, reason=reason, message=message, since=clock.now())

    @property
    def state(self) -> EnforcementState:
        """What is known now."""
        return self._state

    async def run(self) -> None:
        """Try again and again, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.probe()
            pause = self._every if self._state.ok else self._every / _SOONER
            await asyncio.sleep(max(0.0, began + pause - loop.time()))

    async def probe(self) -> EnforcementState:
        """Try every policy once and return what is known then. Raises nothing that the API server is to blame for."""
        await asyncio.gather(*(self._try(attempt) for attempt in self._attempts))
        for attempt in self._attempts:
            self._told(attempt.policy, self._faults.get(attempt.policy) == "")
        old = self._state
        reason, message = self._answer()
        since = old.since if reason == old.reason else self._clock.now()
        new = EnforcementState(ok=reason is EnforcementReason.ENFORCED, reason=reason, message=message, since=since)
        if new != old:
            self._state = new
            self._changed(new)
        return new

    async def _try(self, attempt: Attempt) -> None:
        """Note what one attempt shows."""
        try:
            refusal = await self._refusal(attempt)
        except Unavailable as error:
            self._silence = str(error)
            return
        except ClusterError as error:
            self._faults[attempt.policy] = f"{attempt.deed} could not be tried: {_short(str(error))}"
            return
        if refusal is None:
            self._faults[attempt.policy] = f"{attempt.deed} was not refused"
        elif f"ValidatingAdmissionPolicy '{attempt.policy}' " in refusal:
            self._faults[attempt.policy] = ""
        else:
            self._faults[attempt.policy] = f"{attempt.deed} was refused by something else: {_short(refusal)}"

    async def _refusal(self, attempt: Attempt) -> str | None:
        """Make an attempt; once more, where there was nothing to make it on."""
        try:
            return await self._prober.attempt(attempt)
        except NotFound:
            if attempt.canary is None:
                raise
        await self._prober.place(attempt.canary)
        return await self._prober.attempt(attempt)

    def _answer(self) -> tuple[EnforcementReason, str]:
        """Return what all that is known comes to."""
        wrong = {policy: fault for policy, fault in sorted(self._faults.items()) if fault}
        if wrong:
            several = len(wrong) > 1
            found = "; ".join(f"{policy} ({fault})" for policy, fault in wrong.items())
            bindings = f"ValidatingAdmissionPolicyBinding{'s' if several else ''} {', '.join(wrong)}"
            return EnforcementReason.NOT_ENFORCED, (
                f"Admission {'policies that are' if several else 'policy'} not in force: {found}. "
                f"Run helm upgrade curfew, or restore {bindings} with validationActions [Deny]. "
                f"If Helm reports that validationActions is invalid, delete {bindings} first."
            )
        if len(self._faults) < len(self._attempts):
            why = f": {_short(self._silence)}" if self._silence else ""
            return (
                EnforcementReason.NOT_YET_PROBED,
                f"Whether all admission policies are in force is not known yet{why}.",
            )
        return EnforcementReason.ENFORCED, "All admission policies are in force."


def _short(text: str) -> str:
    """Return what the API server says, of a length for a sentence and without its last full stop."""
    text = text.rstrip(". \n")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
