"""Finds out whether our admission policies are in force, by trying what each of them must refuse.

Policies inside the API server keep some promises, and an administrator of the cluster can take these policies out of force.
So everything that a policy forbids is tried without effect, once per `every`. If an attempt is not refused in the policy's
own name, the policy is not in force, whatever the reason (unknown means no, promise P8). If the API server does not answer,
nothing is learnt about its policies: then the last answer stays valid.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from curfew.core.enforcement import cannot_be_tried, fault_shown, is_static, judge_enforcement
from curfew.core.facts import EnforcementState
from curfew.core.probes import Attempt, attempts
from curfew.ports import Clock, ClusterError, NotFound, Prober, Unavailable

_SOONER: Final = 6
"""How many times more often to try while something is wrong: the person who fixed it need not wait."""


class Enforcement:
    """Tries our admission policies again and again, and reports when the answer changes."""

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

        `namespace` is where Curfew is installed. `account` is the probe's service account there. `changed` is called with
        each new state. After every round, `told` is called for each policy, with whether that policy is in force.
        """
        self._prober = prober
        self._clock = clock
        self._every = every.total_seconds()
        self._changed = changed
        self._told = told
        self._attempts = attempts(namespace, account)
        self._faults: dict[str, str] = {}  # by policy, what is wrong; empty if the policy is in force
        self._static: set[str] = set()  # the policies that refused from a file of the API server
        self._silence = ""  # why there is no answer yet
        self._state = self._judge(None)

    @property
    def state(self) -> EnforcementState:
        """The state that is known now."""
        return self._state

    def start_over(self) -> None:
        """Forget what was found: it is old by the time when this process tries again."""
        self._faults, self._silence = {}, ""
        self._static.clear()
        self._state = self._judge(None)

    async def run(self) -> None:
        """Try again and again, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.probe()
            pause = self._every if self._state.ok else self._every / _SOONER
            await asyncio.sleep(max(0.0, began + pause - loop.time()))

    async def probe(self) -> EnforcementState:
        """Try every policy once and return the new state. Failures of the API server raise no error."""
        await asyncio.gather(*(self._try(attempt) for attempt in self._attempts))
        for attempt in self._attempts:
            self._told(attempt.policy, self._faults.get(attempt.policy) == "")
        new = self._judge(self._state)
        if new != self._state:
            self._state = new
            self._changed(new)
        return new

    def _judge(self, before: EnforcementState | None) -> EnforcementState:
        policies = [attempt.policy for attempt in self._attempts]
        return judge_enforcement(
            policies, self._faults, self._silence, before, static=self._static, now=self._clock.now()
        )

    async def _try(self, attempt: Attempt) -> None:
        """Note what one attempt shows."""
        try:
            refusal = await self._refusal(attempt)
        except Unavailable as error:
            self._silence = str(error)
            return
        except ClusterError as error:
            self._faults[attempt.policy] = cannot_be_tried(attempt, str(error))
        else:
            self._faults[attempt.policy] = fault_shown(attempt, refusal)
            (self._static.add if is_static(attempt, refusal) else self._static.discard)(attempt.policy)

    async def _refusal(self, attempt: Attempt) -> str | None:
        """Make an attempt. If the object for it did not exist, create the object and make the attempt again."""
        try:
            return await self._prober.attempt(attempt)
        except NotFound:
            if attempt.canary is None:
                raise
        await self._prober.place(attempt.canary)
        return await self._prober.attempt(attempt)
