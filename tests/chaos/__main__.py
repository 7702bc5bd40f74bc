"""`python -m tests.chaos`."""

import sys

from tools.signals import run

if __name__ == "__main__":
    sys.exit(run("tests.chaos.command"))
