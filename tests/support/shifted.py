"""Curfew in a process whose clock is off: `python -m tests.support.shifted SECONDS ARGUMENTS...`. Only for tests.

Curfew has no setting for this. The wrapper puts another wall clock into the only reader of the clock and then runs the
command line as it is.
"""

import runpy
import sys
import time

from curfew.adapters import clock

if __name__ == "__main__":
    shift = int(float(sys.argv.pop(1)) * 1e9)
    clock.SystemClock.__init__.__defaults__ = (lambda: time.time_ns() + shift, clock._boottime)
    runpy.run_module("curfew", run_name="__main__", alter_sys=True)
