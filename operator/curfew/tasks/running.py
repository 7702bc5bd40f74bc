"""Runs a process to its end, whatever is left of it then."""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger("curfew")

LEFT_OVER_SECONDS = 5.0
"""How long tasks and threads that were left may take to end. What has to be written is written before."""


def run_process(main: Coroutine[Any, Any, None]) -> None:
    """Run a process's main task, and return or raise as it does.

    At its end, asyncio waits for every task that is left and for every thread. One that never ends would keep a process that
    does nothing any more, and nothing would start it again. So after `LEFT_OVER_SECONDS` the process ends without them: with
    code 0, or with code 1 and its traceback if an error ended it.
    """
    failure: BaseException | None = None
    last_resort = threading.Timer(LEFT_OVER_SECONDS, lambda: _end(failure))
    last_resort.daemon = True
    try:
        with asyncio.Runner() as runner:
            try:
                runner.run(main)
            except BaseException as error:
                failure = error
                raise
            finally:
                last_resort.start()
    finally:
        last_resort.cancel()


def _end(failure: BaseException | None) -> None:
    left = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    log.warning("ending without what was left", threads=left)
    if failure is not None:
        traceback.print_exception(failure)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if failure is None else 1)
