"""The `curfew` command as a process."""

import os
import sys
from typing import NoReturn

from curfew.cli import main


def run() -> NoReturn:
    """Run the command line and end the process at once with its exit code.

    Python's own way out takes the interpreter apart while threads of the object-store client may still want it, which on
    Python before 3.14 aborts the process now and then, after everything was done.
    """
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201  what sys.exit() would do
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    run()
