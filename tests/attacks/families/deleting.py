"""What a thief of the operator's own token tries to take away: requests whose story is not told to its end."""

from collections.abc import Callable

from curfew.api.names import LABEL_CLOSED
from tests.attacks.attack import Attack, policy
from tests.attacks.calling import ALMIGHTY_OPERATOR, MERGE, THIEF, Call, Who
from tests.attacks.stage import Scene, Stage
from tests.attacks.ways import delete

NOT_CLOSED = policy(
    "operator-labels-only",
    "the operator deletes a request only if it is in a final phase, closed, and has nothing left in its outbox",
)


def close(scene: Scene) -> Scene:
    """Have the operator label a request that is over."""
    scene.body = scene.stage.do(
        Call(THIEF, "PATCH", scene.path, {"metadata": {"labels": {LABEL_CLOSED: "true"}}}, MERGE)
    )
    return scene


def deletes(title: str, on: Callable[[Stage], Scene], who: Who = THIEF) -> Attack:
    """Have the token delete a request whose story may not be told; the twin is one that is over and closed."""
    return Attack(
        f"deletes a request {title}",
        on,
        lambda s: delete(s.path, who),
        NOT_CLOSED,
        lambda s: delete(close(s.stage.in_phase("Expired")).path, who),
    )


def with_an_outbox(stage: Stage) -> Scene:
    """Have a request that is over and closed, although one of its records is not in the log."""
    return close(stage.in_phase("Expired").operator_writes({"outbox": [{"record": "{}", "seal": "x"}]}))


ATTACKS = [
    *(
        deletes(f"that is {phase}", lambda stage, phase=phase: stage.in_phase(phase))  # type: ignore[misc]
        for phase in ("Pending", "Approved", "Active")
    ),
    deletes("that nobody has looked at", lambda stage: stage.asked()),
    *(
        deletes(f"that is {phase} and not closed", lambda stage, phase=phase: stage.in_phase(phase))  # type: ignore[misc]
        for phase in ("Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed")
    ),
    deletes("with records in its outbox", with_an_outbox),
    deletes("that is Active, were RBAC to let it", lambda stage: stage.in_phase("Active"), ALMIGHTY_OPERATOR),
]
