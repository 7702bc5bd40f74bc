"""Handing over a batch of lines, again and again until it is taken: who reads a file or a stream can wait."""

import asyncio

import structlog

from curfew.ports import Batch, BatchRefused, BatchSink, IntakeError, IntakeObserver, Overloaded

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two attempts: after the first failure, and at most."""

_log = structlog.get_logger(__name__)


async def hand_over(batch: Batch, sink: BatchSink, observer: IntakeObserver) -> None:
    """Return when the sink has taken the batch, or has refused it for good."""
    loop = asyncio.get_running_loop()
    pause, trouble = FIRST_PAUSE, ""
    while True:
        began = loop.time()
        try:
            await sink.take(batch)
        except BatchRefused as error:
            observer.refused(error.reason, batch.source)
            _log.error("lines were refused", source=batch.source, problem=str(error))
            return
        except IntakeError as error:
            observer.refused(error.reason, batch.source)
            if str(error) != trouble:
                trouble = str(error)
                _log.warning("lines wait to be taken", source=batch.source, problem=trouble)
            wait = error.retry_after if isinstance(error, Overloaded) else pause
            await asyncio.sleep(min(max(wait, FIRST_PAUSE), LONGEST_PAUSE))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            observer.taken(batch.source, len(batch.body), loop.time() - began)
            return
