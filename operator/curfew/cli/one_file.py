"""The commands as one file, which takes the part that its name shows: curfew, kubectl-curfew or kubectl_complete-curfew."""

import sys
from pathlib import Path
from typing import NoReturn


def run() -> NoReturn:
    """Run the command that the file is named after, and end the process with its exit code."""
    name = Path(sys.argv[0]).name
    # Imported when needed: the plugin starts without what the other commands need.
    if name.startswith("kubectl_complete-curfew"):
        from curfew.cli.plugin import complete

        complete()
    if name.startswith("kubectl-curfew"):
        from curfew.cli.plugin import run as run_plugin

        run_plugin()
    from curfew.cli import main
    from curfew.cli.program import run_and_exit

    run_and_exit(main)
