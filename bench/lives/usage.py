"""What processes take, and which calls somebody made, read from outside: /proc, and the API server's audit log."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.process import taken_by

LEFT_OUT: Final = ("list", "watch")
"""Verbs of calls that are made once and not for each request."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far it was at an instant."""

    processor: float  # seconds that the contender has taken
    servers: float  # seconds that the API server has taken
    log_size: int  # bytes of the audit log


def mark(pids: Sequence[int], apiserver: int, audit_log: Path) -> Mark:
    """Return how far it is now."""
    return Mark(sum(map(taken_by, pids)), taken_by(apiserver), audit_log.stat().st_size)


def held_by(pids: Sequence[int]) -> int:
    """Return the memory that processes hold now, in bytes."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def calls_since(log: Path, size: int, user: str, namespace: str) -> Counter[str]:
    """Return how often a user made each kind of call for the requests of a namespace since the log was so long."""
    counted: Counter[str] = Counter()
    with log.open("rb") as lines:
        lines.seek(size)
        for line in lines:
            if user.encode() in line and line.endswith(b"\n") and (kind := _kind(json.loads(line), user, namespace)):
                counted[kind] += 1
    return counted


def _kind(event: dict[str, Any], user: str, namespace: str) -> str | None:
    """Return the verb and the resource of a call, or None if it is not for a request of the namespace."""
    about = event.get("objectRef", {})
    is_here = about.get("namespace") in (namespace, None) and about.get("resource") is not None
    is_counted = event["stage"] == "ResponseComplete" and event["verb"] not in LEFT_OUT
    if event["user"].get("username") != user or not is_here or not is_counted:
        return None
    resource = "/".join(about[part] for part in ("resource", "subresource") if about.get(part))
    return f"{event['verb']} {resource}"
