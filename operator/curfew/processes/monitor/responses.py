"""Takes what people answer to alerts: the AlertResponses in the cluster, soon after they were made."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.core.detectors.responses import Answers
from curfew.ports import Clock, ClusterError
from curfew.processes.monitor.detecting import Detecting

log = structlog.get_logger("curfew")

LOOK_SECONDS = 30.0
"""How often to look, besides when an audit event shows that there is something new."""

PAUSE_SECONDS = 1.0
"""Between two looks, however many events there are."""


class ResponseSource(Protocol):
    """Where the answers of people are."""

    async def alert_responses(self) -> Sequence[dict[str, Any]]:
        """Return all AlertResponses, or raise a `ClusterError`, also if there are more than anybody would make."""
        ...


class Responses:
    """Looks at the answers, and has what follows from them recorded."""

    def __init__(
        self,
        source: ResponseSource,
        answers: Answers,
        detecting: Detecting,
        clock: Clock,
        submit: Callable[[Record], None],
    ) -> None:
        """`submit` appends to the log of activity. The answers learn that log from `detecting`."""
        self._source = source
        self._answers = answers
        self._detecting = detecting
        self._clock = clock
        self._submit = submit
        self._wanted = asyncio.Event()
        self._trouble = ""
        detecting.also(answers.learn)

    def changed(self) -> None:
        """Have the answers looked at soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Look again and again, for ever, once the detectors know what the log holds."""
        await self._detecting.has_begun.wait()
        while True:
            self._wanted.clear()
            try:
                await self._look()
            except ClusterError as error:
                if str(error) != self._trouble:
                    log.warning("cannot read the answers to alerts yet", problem=str(error), again_in=LOOK_SECONDS)
                self._trouble = str(error)
            else:
                self._trouble = ""
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wanted.wait()

    async def _look(self) -> None:
        answered = self._answers.look(await self._source.alert_responses(), self._clock.now())
        for why in answered.refused:
            log.warning("an answer to alerts has no effect", why=why)
        for record in answered.records:
            try:
                self._submit(record)
            except NotCanonical as error:
                log.warning("an answer to alerts cannot be recorded", record=record.event, problem=str(error))
        self._detecting.changed()
