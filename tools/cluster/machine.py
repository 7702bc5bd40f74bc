"""Process 1 of a node, in mount, PID and network namespaces of its own: when it ends, all that runs in the node ends.

Run as a script by `node.py`: machine.py <folder>. It gives the node its own /proc, /run and /var, and says so by the file
`up`; then it only buries processes whose parents have gone.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Make the mounts, and wait to be told to end."""
    folder = Path(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    for arguments in (
        ["--make-rshared", "/"],
        ["-t", "proc", "proc", "/proc"],
        ["-t", "tmpfs", "tmpfs", "/run"],
        ["--bind", str(folder / "var"), "/var"],
    ):
        subprocess.run(["mount", *arguments], check=True)
    (folder / "up").touch()
    while signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGCHLD:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
