"""Curfew with less patience: `python -m tests.support.hurried SECONDS ARGUMENTS...`. Only for tests.

An API server gives up a batch of audit events after minutes, and the monitor waits for longer than that. API servers of tests
give up after seconds. Curfew has no setting for this, so the wrapper changes the one constant and then runs the command line
as it is.
"""

import runpy
import sys
from datetime import timedelta

from curfew.processes.monitor import feed

if __name__ == "__main__":
    feed.GIVE_UP = timedelta(seconds=float(sys.argv.pop(1)))
    runpy.run_module("curfew", run_name="__main__", alter_sys=True)
