"""Become another program, with the kernel's promise that it ends when its parent does.

Run as a script by `spawn.py`: launch.py <parent's pid> <program> <arguments...>. The promise (PR_SET_PDEATHSIG) must be
asked for by the child itself; doing so between fork and exec inside a Python with threads may deadlock, so this small
script stands between instead. Elsewhere than on Linux there is no such promise, and it only becomes the program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def outlive_parent() -> None:
    """Take the request back."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)


def main() -> None:
    """Replace this process by the program."""
    parent, program, *arguments = sys.argv[1:]
    end_with_parent()
    # The parent may have died before the request was made; then nobody would ever end us.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execv(program, [program, *arguments])  # noqa: S606  no shell is the point


if __name__ == "__main__":
    main()
