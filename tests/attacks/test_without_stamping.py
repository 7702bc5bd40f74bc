"""As before Kubernetes 1.36: nobody fills in who asks, and it is still who the API server authenticated.

All other attacks are made on such a control plane too; these could not be made on another.
"""

import pytest

from tests.attacks.attack import Attack, policy, schema
from tests.attacks.calling import ALICE, BOB, CAROL, ROOT
from tests.attacks.families import locking
from tests.attacks.stage import Manifest, Scene, Stage
from tests.attacks.ways import apply_new, ask
from tests.integration.installed import MASTERS


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def without(scene: Scene, *fields: str) -> Manifest:
    """Return a request of alice's that says less of who asks."""
    request = scene.stage.request(ALICE)
    return {**request, "spec": {key: value for key, value in request["spec"].items() if key not in fields}}


CASES = [
    Attack(
        "a lock made in somebody else's name",
        locking.nothing,
        lambda s: locking.make(s, submittedBy=BOB.name),
        policy("locks", f"spec.submittedBy must be {locking.SECURITY.name}"),
        locking.make,
    ),
    Attack(
        "submitted in bob's name, so that alice can approve it herself",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, submittedBy=BOB.name)),
        policy("request-identity", "spec.submittedBy must be alice@example.com"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    ),
    Attack(
        "submitted and requested in bob's name",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(BOB)),
        policy("request-identity", "spec.submittedBy must be alice@example.com"),
        lambda s: ask(s, BOB, s.stage.request(BOB)),
    ),
    Attack(
        "submitted in carol's name by server-side apply",
        pending,
        lambda s: apply_new(s.stage, ALICE, "accessrequests", s.stage.request(ALICE, submittedBy=CAROL.name)),
        policy("request-identity", "spec.submittedBy must be alice@example.com"),
        lambda s: apply_new(s.stage, ALICE, "accessrequests", s.stage.request(ALICE)),
    ),
    Attack(
        "submitted in alice's name by a GitOps controller",
        pending,
        lambda s: ask(s, s.stage.git, s.stage.request(ALICE)),
        policy("request-identity", "spec.submittedBy must be system:serviceaccount:"),
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=ALICE.name)),
    ),
    Attack(
        "submitted in alice's name by a cluster admin",
        pending,
        lambda s: ask(s, ROOT.as_(CAROL.name, *MASTERS), s.stage.request(ALICE)),
        policy("request-identity", "spec.submittedBy must be carol@example.com"),
        lambda s: ask(s, ROOT.as_(CAROL.name, *MASTERS), s.stage.request(ALICE, submittedBy=CAROL.name)),
    ),
    Attack(
        "submitted by a name in another case",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, submittedBy="Alice@example.com")),
        policy("request-identity", "spec.submittedBy must be alice@example.com"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    ),
    Attack(
        "submitted by nobody",
        pending,
        lambda s: ask(s, ALICE, without(s, "submittedBy")),
        schema("spec.submittedBy: Required value"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    ),
    Attack(
        "asked for by nobody",
        pending,
        lambda s: ask(s, ALICE, without(s, "requester", "submittedBy")),
        schema("spec.requester: Required value"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    ),
    Attack(
        "submitted by an empty name",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, submittedBy="")),
        schema("spec.submittedBy"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE)),
    ),
]


@pytest.mark.parametrize("attack", CASES, ids=str)
def test_attack(stage: Stage, attack: Attack) -> None:
    """Whoever they say they are, in the words of the one policy that is left."""
    attack.judge(stage)


def test_nothing_fills_in_who_asks(stage: Stage) -> None:
    """Otherwise no attack on this control plane would show anything new."""
    assert not stage.cluster.stamps_identity
