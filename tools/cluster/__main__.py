"""Where `python -m tools.cluster` begins."""

import sys

from tools.signals import run

if __name__ == "__main__":
    sys.exit(run("tools.cluster.commands"))
