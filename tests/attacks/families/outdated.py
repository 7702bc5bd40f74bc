"""Tokens that were good once, or are good elsewhere: whoever has one is nobody here."""

from http import HTTPStatus

from tests.attacks.attack import Attack, unreadable
from tests.attacks.calling import ALICE, ELSEWHERE_THIEF, LATE_THIEF, MERGE, THIEF, Call, Who
from tests.attacks.stage import Scene, Stage
from tests.attacks.ways import ask, bind

NOBODY = unreadable("Unauthorized", HTTPStatus.UNAUTHORIZED)


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def on_behalf(scene: Scene, who: Who) -> Call:
    """Return a request of alice's that a service account submits."""
    return ask(scene, who, scene.stage.request(who, requester=ALICE.name))


def decided_by(scene: Scene, who: Who) -> Call:
    """Return the operator's word that a request is approved."""
    return Call(who, "PATCH", scene.status, {"status": {"phase": "Approved"}}, MERGE)


ATTACKS = [
    Attack(
        "a token of the operator's for another audience binds",
        pending,
        lambda s: bind(s, ELSEWHERE_THIEF, s.grant()),
        NOBODY,
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "a token of the operator's for another audience approves",
        pending,
        lambda s: decided_by(s, ELSEWHERE_THIEF),
        NOBODY,
        lambda s: decided_by(s, THIEF),
    ),
    Attack(
        "a token of the operator's that was bound to a Secret which is gone binds",
        pending,
        lambda s: bind(s, LATE_THIEF, s.grant()),
        NOBODY,
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "a token of an account that was deleted and created again asks on behalf of alice",
        pending,
        lambda s: on_behalf(s, s.stage.former_deploy),
        NOBODY,
        lambda s: on_behalf(s, s.stage.deploy),
    ),
]
