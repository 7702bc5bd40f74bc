"""What people do and what goes wrong, and when: drawn by a seed, and printed so that a person can follow it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

REPLICAS: Final = ("curfew-a", "curfew-b")

WATCHED: Final = ("AccessRequest", "RoleBinding", "AccessPolicy")

CALLS: Final = (
    "create_binding",
    "delete_binding",
    "patch_request_status",
    "label_closed",
    "get_role",
    "create",
    "get",
    "replace_lease",
)
"""The calls that a schedule singles out; `create` and `get` are those to the bucket."""


WRITES: Final = ("create_binding", "delete_binding", "patch_request_status", "create", "create", "create", "create")
"""Those that matter most when they land late."""


@dataclass(frozen=True, slots=True)
class PersonActs:
    """What a person does, `at` seconds after the beginning."""

    at: float
    what: str  # ask | Approve | Revoke | Cancel | Deny | delete
    request: str
    seconds: int = 0  # ask: for how long


@dataclass(frozen=True, slots=True)
class TroubleComes:
    """Something goes wrong for one replica."""

    at: float
    kind: str  # see `KINDS`
    replica: str
    lasts: float = 0.0  # seconds
    what: str = ""  # a call, a watch, or a server
    by: float = 0.0  # seconds


KINDS: Final = {
    "kill": "the process dies, and another is started after a while",
    "stop": "the process is asked to end, and another is started after a while",
    "suspend": "the process stands still for a while, and goes on as if nothing had happened",
    "cut": "a server does not hear the replica for a while, nor the replica the server",
    "lose": "the next such call does not arrive",
    "lose answer": "the next such call has its effect, and its answer is lost",
    "late": "the next such call has its effect late",
    "lag": "a watch shows everything late for a while",
    "gap": "a watch shows nothing of what happens for a while, and is then begun anew: 410",
    "repeat": "a watch shows the last changes once more",
}


@dataclass(frozen=True, slots=True)
class SimulatedSchedule:
    """One run. The same schedule always runs in the same way."""

    seed: int
    people: tuple[PersonActs, ...]
    troubles: tuple[TroubleComes, ...]

    @property
    def over_at(self) -> float:
        """When the last access is over and the last trouble has passed."""
        ends = [act.at + act.seconds for act in self.people]
        return max([*ends, *(one.at + one.lasts + one.by for one in self.troubles)], default=0.0)

    def without(self, left_out: Sequence[TroubleComes]) -> "SimulatedSchedule":
        """Return the schedule with less trouble."""
        return replace(self, troubles=tuple(one for one in self.troubles if one not in left_out))

    def __str__(self) -> str:
        """List what happens, in order."""
        lines = [(act.at, f"somebody: {act.what} {act.request} {act.seconds or ''}".rstrip()) for act in self.people]
        for one in self.troubles:
            more = (
                f"{one.what} {f'for {one.lasts:.2f} s' if one.lasts else ''} {f'by {one.by:.2f} s' if one.by else ''}"
            )
            lines.append((one.at, f"{one.replica}: {one.kind} {' '.join(more.split())}"))
        return "\n".join(f"{at:8.3f} s  {line}" for at, line in sorted(lines))


def draw(seed: int) -> SimulatedSchedule:
    """Return the schedule of a seed: two to four requests, and up to eight troubles at moments that matter."""
    lot = random.Random(seed)  # noqa: S311  to be had again, not secret
    people: list[PersonActs] = []
    moments: list[float] = []
    for number in range(lot.randint(2, 4)):
        name, asked, seconds = f"inc-{number}", 4 + lot.uniform(0, 8), lot.choice((10, 15, 25))
        decided = asked + lot.uniform(0.5, 4)
        people.append(PersonActs(asked, "ask", name, seconds))
        moments += [asked, decided, decided + 0.02, decided + seconds]
        way = lot.choice(("Approve", "Approve", "Approve", "Revoke", "Revoke", "Cancel", "delete", "delete", "Deny"))
        if way in ("Deny", "Cancel"):
            people.append(PersonActs(decided, way, name))
            continue
        people.append(PersonActs(decided, "Approve", name))
        if way in ("Revoke", "delete"):
            ended = decided + lot.choice((0.01, 0.03, 0.2, 3.0, 8.0))
            people.append(PersonActs(ended, way, name))
            moments.append(ended)
    troubles: list[TroubleComes] = []
    for _ in range(lot.randint(1, 4)):
        at, (one, other) = _near(lot, lot.choice(moments)), lot.sample(REPLICAS, 2)
        kind = lot.choice((*KINDS, "kill", "late", "late"))
        troubles.append(_trouble(lot, at, kind, one))
        if kind == "late" and lot.random() < 0.7:  # its sender is not there any more when it lands
            troubles.append(_trouble(lot, _near(lot, at + 0.5), lot.choice(("kill", "suspend")), one))
        if lot.random() < 0.6:  # and at the same time the other replica has to take over, or comes back
            meanwhile = lot.choice(("kill", "kill", "suspend", "stop", "cut"))
            troubles.append(_trouble(lot, _near(lot, at + lot.choice((0.0, 0.1, 0.5, 2.0))), meanwhile, other))
    return SimulatedSchedule(seed, tuple(people), tuple(troubles))


def _near(lot: random.Random, moment: float) -> float:
    return max(0.5, moment + lot.choice((-1.0, -0.05, 0.0, 0.004, 0.01, 0.02, 0.05, 0.2, 1.0)) * lot.random())


def _trouble(lot: random.Random, at: float, kind: str, replica: str) -> TroubleComes:
    if kind in ("kill", "stop", "suspend"):
        return TroubleComes(at, kind, replica, lasts=lot.choice((0.5, 4.0, 9.0, 20.0)) * (0.5 + lot.random()))
    if kind == "cut":
        return TroubleComes(
            at, kind, replica, lasts=lot.choice((1.0, 6.0, 15.0)), what=lot.choice(("cluster", "bucket"))
        )
    if kind in ("lose", "lose answer"):
        return TroubleComes(at, kind, replica, what=lot.choice(CALLS))
    if kind == "late":
        return TroubleComes(
            at, kind, replica, what=lot.choice((*CALLS, *WRITES, *WRITES)), by=lot.choice((0.1, 7.0, 9.0, 20.0))
        )
    if kind == "lag":
        lasts, by = lot.choice((2.0, 10.0)), lot.choice((0.3, 7.0, 14.0))
        return TroubleComes(
            at, kind, replica, lasts=lasts, what=lot.choice((*WATCHED, "RoleBinding", "RoleBinding")), by=by
        )
    return TroubleComes(at, kind, replica, lasts=lot.choice((0.5, 5.0)), what=lot.choice(WATCHED))
