"""Start child processes that end with us, however we end."""

import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("launch.py")

# The kernel's promise is tied to the thread that started the child, not to the process. Tests start servers from worker
# threads that come and go, so all children are started by this one, which stays until the interpreter ends.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    inherit: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches us first and teardown keeps its order."""
    program, *arguments = (str(part) for part in command)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            cwd=folder,
            start_new_session=True,
            pass_fds=inherit,
        )

    starting = _spawner.submit(start)
    try:
        return starting.result()
    except KeyboardInterrupt:
        # The child may have started, and nobody else would know of it.
        started = starting.result()
        started.kill()
        started.wait()
        raise
