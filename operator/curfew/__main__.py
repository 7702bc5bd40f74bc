"""The `curfew` command as a process."""

from typing import NoReturn

from curfew.cli import main
from curfew.cli.program import run_and_exit


def run() -> NoReturn:
    """Run the command line, and end the process with its exit code."""
    run_and_exit(main)


if __name__ == "__main__":
    run()
