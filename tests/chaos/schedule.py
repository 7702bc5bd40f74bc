"""Which faults come when, and for how long: drawn from a seed, so that a run can be had again."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """What can be done to the servers."""

    KILL_REPLICA = "kill -9 of a replica"
    KILL_ALL_REPLICAS = "kill -9 of all replicas"
    STOP_REPLICA = "SIGTERM of a replica"
    PAUSE_REPLICA = "SIGSTOP of a replica"
    PART_REPLICA = "a replica cut off from the API server"
    THROTTLE_REPLICA = "429 with Retry-After for a replica"
    EXPIRE_TOKEN = "a replica's token expires"
    STEP_CLOCK = "a replica's clock steps"
    KILL_API_SERVER = "kill -9 of the API server"
    PAUSE_API_SERVER = "SIGSTOP of the API server"
    KILL_ETCD = "kill -9 of etcd"
    PAUSE_ETCD = "SIGSTOP of etcd"
    KILL_BUCKET = "kill -9 of the S3 server"
    PAUSE_BUCKET = "SIGSTOP of the S3 server"
    FILL_BUCKET = "the S3 server's disk is full"
    SLOW_BUCKET = "a slow bucket"
    REFUSING_BUCKET = "503 of the bucket"
    FORGETFUL_BUCKET = "answers of the bucket are lost"


LASTS: Final[dict[FaultKind, tuple[float, float]]] = {
    FaultKind.KILL_REPLICA: (0.5, 4.0),
    FaultKind.KILL_ALL_REPLICAS: (0.5, 4.0),
    FaultKind.STOP_REPLICA: (0.5, 4.0),
    FaultKind.PAUSE_REPLICA: (2.0, 20.0),
    FaultKind.PART_REPLICA: (2.0, 15.0),
    FaultKind.THROTTLE_REPLICA: (2.0, 10.0),
    FaultKind.EXPIRE_TOKEN: (1.0, 8.0),
    FaultKind.STEP_CLOCK: (3.0, 15.0),
    FaultKind.KILL_API_SERVER: (0.5, 3.0),
    FaultKind.PAUSE_API_SERVER: (1.0, 6.0),
    FaultKind.KILL_ETCD: (0.5, 3.0),
    FaultKind.PAUSE_ETCD: (1.0, 6.0),
    FaultKind.KILL_BUCKET: (0.5, 8.0),
    FaultKind.PAUSE_BUCKET: (1.0, 10.0),
    FaultKind.FILL_BUCKET: (2.0, 10.0),
    FaultKind.SLOW_BUCKET: (3.0, 15.0),
    FaultKind.REFUSING_BUCKET: (2.0, 10.0),
    FaultKind.FORGETFUL_BUCKET: (2.0, 10.0),
}
"""How long each lasts, in seconds: from, to. What was killed is started again afterwards."""

QUIET: Final = (0.5, 8.0)
"""Seconds from the beginning of one fault to that of the next: they overlap."""

CALM: Final = 3.0
"""Seconds without faults at the beginning, in which the first requests are made."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault: when it begins and how long it lasts, in seconds; which replica it is about; and a size, from 0 to 1."""

    at: float
    kind: FaultKind
    lasts: float
    replica: int
    size: float

    def __str__(self) -> str:
        """Return a line of the schedule."""
        about = f" {self.replica}" if "a replica" in self.kind else ""
        return f"{self.at:7.1f} s  {self.kind}{about}, for {self.lasts:.1f} s"


def drawn_schedule(
    seed: int, seconds: float, replicas: int, only: frozenset[FaultKind] = frozenset()
) -> list[PlannedFault]:
    """Return the faults of a run. `only` leaves the others out; the times stay."""
    chance = random.Random(f"schedule {seed}")  # noqa: S311  to be had again, not secret
    faults = list[PlannedFault]()
    deck = list[FaultKind]()
    at = CALM
    while True:
        at += chance.uniform(*QUIET)
        if not deck:  # each kind once before any comes again
            deck = chance.sample(list(FaultKind), len(FaultKind))
        kind = deck.pop()
        fault = PlannedFault(at, kind, chance.uniform(*LASTS[kind]), chance.randrange(replicas), chance.random())
        if at + fault.lasts > seconds:
            return faults
        if not only or kind in only:
            faults.append(fault)
