"""What changes in this process when it wins or loses the leadership: nothing that an earlier leadership knew is kept."""

import asyncio

from curfew.processes.operator.wiring import Parts


class Office:
    """The leadership of this process, as `curfew.tasks.supervision.Leadership`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.is_open = asyncio.Event()  # the trail is open for writing
        self.compare = asyncio.Event()  # compare the cluster with what is open in the log

    async def won(self) -> asyncio.Event:
        """Return when this process leads, with the event that is set when it no longer does."""
        return await self._parts.election.won()

    def began(self) -> None:
        """Begin: the log is opened anew, and whatever the cluster lost meanwhile is looked for."""
        self._parts.trail.begin()
        self.compare.set()

    def ended(self) -> None:
        """Forget what another replica may have made untrue. What this one removed, and must tell of, stays."""
        parts = self._parts
        self.is_open.clear()
        parts.trail.stand_by()
        parts.enforcement.start_over()
        parts.counting.leave()
        parts.cleanup.start_over()
        parts.reconciler.deleted.start_over()
        parts.known.leave()
