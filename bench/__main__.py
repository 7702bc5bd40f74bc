"""Where `python -m bench` begins."""

import sys

from tools.signals import run

if __name__ == "__main__":
    sys.exit(run("bench.command"))
