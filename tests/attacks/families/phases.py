"""Decisions in phases that have no use for them, and rewinding of phases: made from the tables, each pair an attack."""

from collections.abc import Mapping
from typing import Final

from tests.attacks.attack import Attack, Refusal, policy, schema
from tests.attacks.calling import ALICE, CAROL, MERGE, THIEF, Call
from tests.attacks.stage import HOW_TO_BE, LATER, Scene, decide
from tests.attacks.ways import merge_status

WHEN: Final[Mapping[str, tuple[str, ...]]] = {
    "Approve": ("Pending",),
    "Deny": ("Pending",),
    "Revoke": ("Active", "Approved"),
    "Cancel": ("Pending", "Approved", "Active"),
    "Review": (),  # Active, Expired and Revoked, where a review is owed; here none is
    "Keep": ("Active", "Expired", "Revoked"),
}
"""When each decision is possible: apart from the policy's own words, so that either can be wrong."""

NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("Pending", "Failed"),
    "Pending": ("Approved", "Active", "Denied", "TimedOut", "Cancelled", "Failed"),
    "Approved": ("Active", "Cancelled", "Revoked", "Failed"),
    "Active": ("Expired", "Revoked"),
}
"""Which phases follow which: the table of the design."""


def untimely(decision: str, phase: str) -> Attack:
    """Have a decision made in a phase that does not know it; the twin makes it in one that does."""
    who = ALICE if decision == "Cancel" else CAROL
    more = {"reason": "it has to stay"} if decision == "Keep" else {}

    def attempt(scene: Scene) -> Call:
        return merge_status(scene, who, {"decisions": [{"by": who.name, "decision": decision, **more}]})

    def twin(scene: Scene) -> Call:
        if decision == "Review":
            return decide(scene.stage.in_phase("Expired", reviewBy=LATER), who, decision)
        return decide(scene.stage.in_phase(WHEN[decision][0]), who, decision, **more)

    return Attack(
        f"{decision} in phase {phase or 'unset'}",
        lambda stage: stage.in_phase(phase),
        attempt,
        policy(
            "request-decision",
            f"this decision is not possible in phase {phase}" if phase else "Curfew has not looked at this request yet",
        ),
        twin,
    )


def rewound(start: str, end: str) -> Attack:
    """Have the operator's token move a request to a phase that does not follow; the twin leaves the phase as it is."""

    def moved(scene: Scene, phase: str) -> Call:
        return Call(THIEF, "PATCH", scene.status, {"status": {"phase": phase or None, "expiresAt": LATER}}, MERGE)

    return Attack(
        f"from {start or 'the beginning'} to {end or 'no phase'}",
        lambda stage: stage.in_phase(start),
        lambda scene: moved(scene, end),
        _refused(start),
        lambda scene: moved(scene, start or "Pending"),
    )


def _refused(start: str) -> Refusal:
    return schema("phase cannot be rewound" if start else "a request begins as Pending or Failed")


UNTIMELY = [untimely(decision, phase) for decision, when in WHEN.items() for phase in HOW_TO_BE if phase not in when]

REWOUND = [rewound(start, end) for start in HOW_TO_BE for end in HOW_TO_BE if end not in (start, *NEXT.get(start, ()))]
