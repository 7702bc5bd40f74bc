"""Who decides: in whose name, for which stage, with whose rights, people and others."""

from tests.attacks.attack import Attack, Refusal, policy, schema
from tests.attacks.calling import ALICE, BOB, CAROL, DAVE, ROOT, Call
from tests.attacks.stage import FRANK, Scene, Stage, decide
from tests.attacks.ways import adding, merge_status, status_operations
from tests.integration.installed import MASTERS

PEOPLE_ONLY = policy("request-decision", "only people may decide")
BY_BOB = policy("request-decision", "decisions[].by must be bob@example.com")
KEPT_WITHOUT_REASON = policy("request-decision", "a decision Keep needs a reason")
MADE_IT = policy("request-decision", "you cannot approve a request that you made")


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def active(stage: Stage) -> Scene:
    """Have a request of alice's that is granted."""
    return stage.in_phase("Active")


def over(stage: Stage) -> Scene:
    """Have a request of alice's whose grant has ended."""
    return stage.in_phase("Expired")


def on_behalf(stage: Stage) -> Scene:
    """Have a request for alice that a GitOps controller has submitted."""
    scene = stage.asked(stage.git, requester=ALICE.name)
    return scene.operator_writes({"phase": "Pending", "decisions": []})


def of_bob(stage: Stage) -> Scene:
    """Have a request of bob's that waits."""
    return stage.in_phase("Pending", BOB)


def of_other(stage: Stage) -> Scene:
    """Have a request for the policy whose stage security is dave's."""
    return stage.in_phase("Pending", spec={"policyName": "other"})


def needs(stage: str, verb: str = "approve") -> Refusal:
    """Expect to be told which right is missing."""
    of_stage = f", subresource {stage}" if stage else ""
    return policy("request-decision", f"you need the verb {verb} on accesspolicies/debug{of_stage}")


def owners(scene: Scene) -> Call:
    """Return bob's approval for the stage that is his."""
    return decide(scene, BOB, stage="owners")


def for_stage(stage: str, title: str) -> Attack:
    """Have bob approve for something that is no stage of his."""
    return Attack(title, pending, lambda s: decide(s, BOB, stage=stage), needs(stage), owners)


STAGES = [
    for_stage("*", "for all stages at once"),
    for_stage("owners/x", "for something below his stage"),
    for_stage("owners/", "for his stage with a slash behind it"),
    for_stage("/owners", "for his stage with a slash before it"),
    for_stage("../debug", "for the policy itself, as a path"),
    for_stage("Owners", "for his stage in another case"),
    for_stage("owners ", "for his stage with a space behind it"),
    for_stage("owners,security", "for two stages in one"),
    for_stage("0", "for a stage by its number"),
    for_stage("scale", "for a subresource that other kinds have"),
    for_stage("оwners", "for his stage with a Cyrillic letter in it"),  # noqa: RUF001
    Attack(
        "for the policy as a whole, with a stage that is empty",
        pending,
        lambda s: decide(s, BOB, stage=""),
        needs(""),
        owners,
    ),
    Attack(
        "for a stage of another policy",
        pending,
        lambda s: decide(s, DAVE, stage="security"),
        needs("security"),
        lambda s: decide(of_other(s.stage), DAVE, stage="security"),
    ),
    Attack(
        "a denial for a stage of another policy",
        pending,
        lambda s: decide(s, DAVE, "Deny", stage="security"),
        needs("security"),
        lambda s: decide(of_other(s.stage), DAVE, "Deny", stage="security"),
    ),
    Attack(
        "for the policy as a whole with a stage only, when denying",
        pending,
        lambda s: decide(s, BOB, "Deny"),
        needs(""),
        lambda s: decide(s, BOB, "Deny", stage="owners"),
    ),
    Attack(
        "a revocation for a stage that does not exist",
        active,
        lambda s: decide(s, BOB, "Revoke", stage="nobody"),
        needs("", "revoke"),
        lambda s: decide(s, BOB, "Revoke", stage="owners"),
    ),
    Attack(
        "a revocation without a stage by one who has a stage",
        active,
        lambda s: decide(s, BOB, "Revoke"),
        needs("", "revoke"),
        lambda s: decide(s, BOB, "Revoke", stage="owners"),
    ),
    Attack(
        "keeping what is left by one who may not",
        over,
        lambda s: decide(s, DAVE, "Keep", reason="it has to stay"),
        needs(""),
        lambda s: decide(s, CAROL, "Keep", reason="it has to stay"),
    ),
    Attack(
        "keeping what is left without a reason",
        over,
        lambda s: decide(s, CAROL, "Keep"),
        KEPT_WITHOUT_REASON,
        lambda s: decide(s, CAROL, "Keep", reason="it has to stay"),
    ),
    Attack(
        "keeping what is left for a reason that nobody sees",
        over,
        lambda s: decide(s, CAROL, "Keep", reason=" \n "),
        KEPT_WITHOUT_REASON,
        lambda s: decide(s, CAROL, "Keep", reason="it has to stay"),
    ),
    Attack(
        "keeping what is left, to end the access",
        active,
        lambda s: status_operations(s, CAROL, adding(CAROL, "Keep"), adding(CAROL, "Revoke")),
        policy("request-decision", "exactly one decision must be added"),
        lambda s: decide(s, CAROL, "Keep", reason="it has to stay"),
    ),
    Attack(
        "a review of an active request by one who may not",
        lambda stage: stage.in_phase("Active", reviewBy="2030-01-01T00:00:00Z"),
        lambda s: decide(s, DAVE, "Review"),
        needs(""),
        lambda s: decide(s, CAROL, "Review"),
    ),
]

ACCOUNTS = [
    Attack(
        "a service account that RBAC lets approves",
        pending,
        lambda s: decide(s, s.stage.bot),
        PEOPLE_ONLY,
        lambda s: decide(s, CAROL),
    ),
    Attack(
        "a service account that RBAC lets denies",
        pending,
        lambda s: decide(s, s.stage.bot, "Deny"),
        PEOPLE_ONLY,
        lambda s: decide(s, CAROL, "Deny"),
    ),
    Attack(
        "a service account that RBAC lets revokes",
        active,
        lambda s: decide(s, s.stage.bot, "Revoke"),
        PEOPLE_ONLY,
        lambda s: decide(s, CAROL, "Revoke"),
    ),
    Attack(
        "a service account approves in the name of a person",
        pending,
        lambda s: decide(s, s.stage.bot, by=CAROL.name),
        policy("request-decision", "decisions[].by must be system:serviceaccount:"),
        lambda s: decide(s, CAROL),
    ),
    Attack(
        "a GitOps controller approves what it submitted",
        on_behalf,
        lambda s: decide(s, s.stage.git),
        PEOPLE_ONLY,
        lambda s: decide(s, CAROL),
    ),
    Attack(
        "a GitOps controller cancels what it submitted",
        on_behalf,
        lambda s: decide(s, s.stage.git, "Cancel"),
        PEOPLE_ONLY,
        lambda s: decide(s, ALICE, "Cancel"),
    ),
    Attack(
        "a node approves",
        pending,
        lambda s: decide(s, ROOT.as_("system:node:worker-1", *MASTERS)),
        PEOPLE_ONLY,
        lambda s: decide(s, ROOT.as_("worker-1@example.com", *MASTERS)),
    ),
    Attack(
        "nobody in particular approves",
        pending,
        lambda s: decide(s, ROOT.as_("system:anonymous", *MASTERS)),
        PEOPLE_ONLY,
        lambda s: decide(s, ROOT.as_("anonymous@example.com", *MASTERS)),
    ),
    Attack(
        "the sweeper approves, with all rights there are",
        pending,
        lambda s: decide(s, ROOT.as_("system:serviceaccount:curfew-system:curfew-sweeper", *MASTERS)),
        PEOPLE_ONLY,
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "the operator of another namespace approves",
        pending,
        lambda s: decide(s, ROOT.as_("system:serviceaccount:elsewhere:curfew", *MASTERS)),
        PEOPLE_ONLY,
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "a group approves as such",
        pending,
        lambda s: decide(s, FRANK, by="approvers"),
        policy("request-decision", "decisions[].by must be frank@example.com"),
        lambda s: decide(s, FRANK),
    ),
    Attack(
        "somebody approves who is in no group any more",
        pending,
        lambda s: decide(s, ROOT.as_(FRANK.name)),
        needs(""),
        lambda s: decide(s, FRANK),
    ),
    Attack(
        "somebody of the group approves what they asked for",
        lambda stage: stage.in_phase("Pending", ROOT.as_(FRANK.name, "approvers", *MASTERS)),
        lambda s: decide(s, FRANK),
        MADE_IT,
        lambda s: decide(s, CAROL),
    ),
]

PEOPLE = [
    Attack(
        "the requester approves what a controller submitted",
        on_behalf,
        lambda s: decide(s, ALICE, stage="owners"),
        MADE_IT,
        owners,
    ),
    Attack(
        "the requester approves as a cluster admin",
        pending,
        lambda s: decide(s, ROOT.as_(ALICE.name, *MASTERS)),
        MADE_IT,
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "the requester reviews what they took by breaking the glass",
        lambda stage: stage.in_phase("Expired", reviewBy="2030-01-01T00:00:00Z"),
        lambda s: decide(s, ALICE, "Review", stage="owners"),
        policy("request-decision", "you cannot review a request that you made"),
        lambda s: decide(s, BOB, "Review", stage="owners"),
    ),
    Attack(
        "the requester keeps what they have left behind",
        over,
        lambda s: decide(s, ALICE, "Keep", stage="owners", reason="it is mine"),
        policy("request-decision", "you cannot keep what is left of a request that you made"),
        lambda s: decide(s, BOB, "Keep", stage="owners", reason="it has to stay"),
    ),
    Attack(
        "the requester keeps what they have left behind in bob's name",
        over,
        lambda s: decide(s, ALICE, "Keep", by=BOB.name, stage="owners", reason="it is mine"),
        policy("request-decision", "decisions[].by must be alice@example.com"),
        lambda s: decide(s, BOB, "Keep", stage="owners", reason="it has to stay"),
    ),
    Attack(
        "the requester approves in bob's name",
        pending,
        lambda s: decide(s, ALICE, by=BOB.name, stage="owners"),
        policy("request-decision", "decisions[].by must be alice@example.com"),
        owners,
    ),
    Attack(
        "the requester cancels in nobody's name",
        pending,
        lambda s: decide(s, ALICE, "Cancel", by=""),
        schema("status.decisions[0].by"),
        lambda s: decide(s, ALICE, "Cancel"),
    ),
    Attack(
        "an approver cancels",
        active,
        lambda s: decide(s, CAROL, "Cancel"),
        policy("request-decision", "only the person who made the request may cancel it"),
        lambda s: decide(s, CAROL, "Revoke"),
    ),
    Attack(
        "a cluster admin cancels",
        pending,
        lambda s: decide(s, ROOT, "Cancel"),
        policy("request-decision", "only the person who made the request may cancel it"),
        lambda s: decide(s, ROOT, "Deny"),
    ),
    Attack(
        "somebody without a right denies",
        pending,
        lambda s: decide(s, DAVE, "Deny"),
        needs(""),
        lambda s: decide(s, CAROL, "Deny"),
    ),
    Attack(
        "the requester, an owner, denies another's in that one's name",
        of_bob,
        lambda s: decide(s, ALICE, "Deny", by=BOB.name, stage="owners"),
        policy("request-decision", "decisions[].by must be alice@example.com"),
        lambda s: decide(s, ALICE, "Deny", stage="owners"),
    ),
    Attack(
        "the requester revokes with the rights of a cluster admin in the operator's name",
        active,
        lambda s: decide(s, ROOT, "Revoke", by="system:serviceaccount:curfew-system:curfew"),
        policy("request-decision", "decisions[].by must be admin"),
        lambda s: decide(s, ROOT, "Revoke"),
    ),
    Attack(
        "one owner decides for both",
        pending,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners"), adding(FRANK, stage="owners")),
        policy("request-decision", "exactly one decision must be added"),
        owners,
    ),
    Attack(
        "a decision is made before there is a list, by putting one",
        lambda stage: stage.asked(),
        lambda s: merge_status(s, BOB, {"phase": "Pending", "decisions": [{"by": BOB.name, "decision": "Approve"}]}),
        policy("request-decision", "only status.decisions may be changed by users"),
        lambda s: owners(pending(s.stage)),
    ),
]


def as_somebody_else(name: str, title: str) -> Attack:
    """Have bob decide under a name that looks like his."""
    return Attack(title, pending, lambda s: decide(s, BOB, by=name, stage="owners"), BY_BOB, owners)


NAMES = [
    as_somebody_else("Bob@example.com", "by a name in another case"),
    as_somebody_else("BOB@EXAMPLE.COM", "by a name in capitals"),
    as_somebody_else("bоb@example.com", "by a name with a Cyrillic letter"),  # noqa: RUF001
    as_somebody_else("ｂｏｂ@example.com", "by a name in wide letters"),  # noqa: RUF001
    as_somebody_else("bob@example.com,carol@example.com", "by two names in one"),
    as_somebody_else("bob", "by the first name alone"),
    as_somebody_else("*", "by everybody"),
    Attack(
        "by a name of no length",
        pending,
        lambda s: decide(s, BOB, by="", stage="owners"),
        schema("status.decisions[0].by"),
        owners,
    ),
    Attack(
        "by a name that is too long",
        pending,
        lambda s: decide(s, BOB, by="b" * 513, stage="owners"),
        schema("may not be more than 512"),
        owners,
    ),
    Attack(
        "by nobody",
        pending,
        lambda s: status_operations(
            s, BOB, {"op": "add", "path": "/status/decisions/-", "value": {"decision": "Approve"}}
        ),
        schema("status.decisions[0].by: Required value"),
        owners,
    ),
    Attack(
        "without saying what",
        pending,
        lambda s: status_operations(s, BOB, {"op": "add", "path": "/status/decisions/-", "value": {"by": BOB.name}}),
        schema("status.decisions[0].decision: Required value"),
        owners,
    ),
    Attack(
        "a decision in small letters",
        pending,
        lambda s: decide(s, BOB, "approve", stage="owners"),
        schema('Unsupported value: "approve"'),
        owners,
    ),
    Attack(
        "a reason of more than fits",
        pending,
        lambda s: decide(s, BOB, stage="owners", reason="x" * 1025),
        schema("may not be more than 1024"),
        lambda s: decide(s, BOB, stage="owners", reason="x" * 1024),
    ),
    Attack(
        "a stage of more than fits",
        pending,
        lambda s: decide(s, BOB, stage="x" * 64),
        schema("may not be more than 63"),
        owners,
    ),
    Attack(
        "a reason that erases the terminal of whoever reads it",
        pending,
        lambda s: decide(s, BOB, stage="owners", reason="on call\x1b[2J"),
        schema("reason must not have control characters"),
        lambda s: decide(s, BOB, stage="owners", reason="on call\nsince nine"),
    ),
]
