"""Approvals by people whose rights include every verb, for stages and groups that the policy names."""

from typing import Any, Final

from tests.attacks.attack import Attack, Refusal, policy
from tests.attacks.calling import BOB, CAROL, ROOT, Who
from tests.attacks.stage import Scene, Stage, decide
from tests.integration.installed import MASTERS

STAGED: Final = [{"name": "owners", "groups": []}, {"name": "security", "groups": ["sec", "sec-leads"]}]
PLAIN: Final = [{"name": "", "groups": []}]
GROUPED: Final = [{"name": "", "groups": ["sec"]}]


def terms(stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return terms as Curfew pins them."""
    return {
        "digest": "0" * 64,
        "policy": {"name": "debug", "uid": "u", "generation": 1},
        "role": {"kind": "ClusterRole", "name": "view", "uid": "u", "rulesDigest": "0" * 64},
        "stages": stages,
    }


def pinned(stage: Stage, stages: list[dict[str, Any]]) -> Scene:
    """Have a request of alice's that waits, of a policy with these stages."""
    return stage.in_phase("Pending", terms=terms(stages))


def broken(stage: Stage) -> Scene:
    """Have a broken glass of alice's that one of a group has to review."""
    return stage.in_phase("Active", terms=terms(GROUPED), reviewBy="2030-01-01T00:00:00Z")


def of(*groups: str) -> Who:
    """Return somebody who lacks no right, in these groups."""
    return ROOT.as_("dev@example.com", *MASTERS, *groups)


def outside(words: str) -> Refusal:
    """Expect to be told which groups the policy names."""
    asks = "AccessPolicy debug requires approvers to have the verb approve and to be in one of these groups: "
    return policy("request-decision", f"{asks}{words}")


STAGES = [
    Attack(
        "an admin approves for a stage that is misspelt",
        lambda stage: pinned(stage, STAGED),
        lambda s: decide(s, ROOT, stage="owner"),
        policy("request-decision", "AccessPolicy debug has no stage owner: its stages are owners, security"),
        lambda s: decide(s, ROOT, stage="owners"),
    ),
    Attack(
        "an admin approves for a stage where there is none",
        lambda stage: pinned(stage, PLAIN),
        lambda s: decide(s, ROOT, stage="owners"),
        policy("request-decision", 'AccessPolicy debug has no stages: leave "stage" out'),
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "an admin approves for a stage that is misspelt, and then denies for it",
        lambda stage: pinned(stage, STAGED),
        lambda s: decide(s, ROOT, stage="owner"),
        policy("request-decision", "AccessPolicy debug has no stage owner"),
        lambda s: decide(s, ROOT, "Deny", stage="owner"),
    ),
]

GROUPS = [
    Attack(
        "somebody with every verb approves for a stage of a group",
        lambda stage: pinned(stage, STAGED),
        lambda s: decide(s, of("devs"), stage="security"),
        outside("sec or sec-leads for stage security"),
        lambda s: decide(s, of("devs", "sec-leads"), stage="security"),
    ),
    Attack(
        "somebody with every verb approves for all stages at once",
        lambda stage: pinned(stage, STAGED),
        lambda s: decide(s, of()),
        outside("sec or sec-leads for stage security"),
        lambda s: decide(s, of("sec")),
    ),
    Attack(
        "somebody with every verb approves where only a group may",
        lambda stage: pinned(stage, GROUPED),
        lambda s: decide(s, of("Sec", "sec2")),
        outside("sec"),
        lambda s: decide(s, of("sec")),
    ),
    Attack(
        "somebody with every verb reviews what a group has to review",
        broken,
        lambda s: decide(s, of(), "Review", stage="anything"),
        outside("sec"),
        lambda s: decide(s, of("sec"), "Review"),
    ),
    Attack(
        "somebody with every verb keeps what only a group may keep",
        broken,
        lambda s: decide(s, of(), "Keep", reason="it has to stay"),
        outside("sec"),
        lambda s: decide(s, of("sec"), "Keep", reason="it has to stay"),
    ),
    Attack(
        "one of the group approves without the verb",
        lambda stage: pinned(stage, GROUPED),
        lambda s: decide(s, ROOT.as_(BOB.name, "sec")),
        policy("request-decision", "you need the verb approve on accesspolicies/debug"),
        lambda s: decide(s, of("sec")),
    ),
    Attack(
        "somebody outside of the group approves, and then ends it",
        lambda stage: pinned(stage, GROUPED),
        lambda s: decide(s, CAROL),
        outside("sec"),
        lambda s: decide(s, CAROL, "Deny"),
    ),
]
