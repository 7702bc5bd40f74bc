"""Free loopback ports."""

import contextlib
import os
import random
import socket
import threading

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes ports for outgoing connections (32768 and up): a port from there may be
# taken by any client between our choice and the server's start.
RANGE = range(20000, 32000)

SHARE_VARIABLE = "CURFEW_PORTS"
"""Set to 1/4, say, this variable gives a process (and what it starts) the second quarter of the range.

A port that a server has left for a moment, as it does at a restart, is then taken by no server of another process.
"""

_lock = threading.Lock()
_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nothing listens on and that this process has not given out before.

    Another process may still take it first; who starts a server on it must be ready to try again.
    """
    with _lock:
        candidates = [port for port in _share() if port not in _given]
        random.shuffle(candidates)
        for port in candidates:
            if is_free(port):
                _given.add(port)
                return port
    raise OSError(f"no free port in {RANGE.start} to {RANGE.stop}")


def share(number: int, of: int) -> str:
    """Return what to set the variable to for one of so many that share what this process has."""
    ours, _, all_ = os.environ.get(SHARE_VARIABLE, "0/1").partition("/")
    return f"{int(ours) * of + number}/{int(all_) * of}"


def _share() -> range:
    number, _, of = os.environ.get(SHARE_VARIABLE, "0/1").partition("/")
    return RANGE[len(RANGE) * int(number) // int(of) : len(RANGE) * (int(number) + 1) // int(of)]


def give_back(port: int) -> None:
    """Let a port be given out again."""
    with _lock:
        _given.discard(port)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with contextlib.closing(socket.socket()) as probe:
        # As servers do, so that connections which linger from an earlier one do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
