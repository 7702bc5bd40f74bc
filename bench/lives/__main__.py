"""`python -m bench.lives`: some rows of the table, for those who look for what takes time."""

import sys

from tools.signals import run

if __name__ == "__main__":
    sys.exit(run("bench.lives.command"))
