"""A request deleted and made again under its name while somebody decides: they meant the other one."""

from tests.attacks.attack import Attack, conflict, schema
from tests.attacks.calling import ALICE, CAROL, MERGE, Call
from tests.attacks.stage import HOW_TO_BE, Scene, Stage, decide

REJECTED = "the server rejected our request due to an error in our request"


def swapped(phase: str) -> Attack:
    """Have alice swap a request in this phase for another while carol is about to approve."""

    def anew(stage: Stage) -> Scene:
        return stage.in_phase(phase).made_anew()

    def current(scene: Scene) -> str:
        return str(scene.stage.do(Call(CAROL, "GET", scene.path))["metadata"]["uid"])

    return Attack(
        f"made anew under its name in phase {phase or 'unset'}, and approved as the one before",
        anew,
        lambda scene: decide(scene, CAROL, uid=scene.uid),
        schema(REJECTED),
        lambda scene: decide(scene, CAROL, uid=current(scene)),
    )


ATTACKS = [
    *map(swapped, HOW_TO_BE),
    # A UID in a merge patch is nothing to /status, which takes no metadata; a version is.
    Attack(
        "made anew under its name, and approved as the one before by a merge patch with its version",
        lambda stage: stage.in_phase("Pending").made_anew(),
        lambda s: Call(
            CAROL,
            "PATCH",
            s.status,
            {
                "metadata": {"resourceVersion": s.body["metadata"]["resourceVersion"]},
                "status": {"decisions": [{"by": CAROL.name, "decision": "Approve"}]},
            },
            MERGE,
        ),
        conflict("the object has been modified"),
        lambda s: decide(s, CAROL),
    ),
    Attack(
        "made anew under its name, and approved as the one before by a replacement",
        lambda stage: stage.in_phase("Pending").made_anew(),
        lambda s: Call(
            CAROL,
            "PUT",
            s.status,
            s.changed(lambda r: r["status"].update(decisions=[{"by": CAROL.name, "decision": "Approve"}])),
        ),
        conflict("Precondition failed: UID in precondition"),
        lambda s: decide(s, CAROL),
    ),
    Attack(
        "made anew under its name by the one whose request waits, and revoked as the active one before",
        lambda stage: stage.in_phase("Active").made_anew(),
        lambda s: decide(s, CAROL, "Revoke", uid=s.uid),
        schema(REJECTED),
        lambda s: decide(s, ALICE, "Cancel"),
    ),
]
