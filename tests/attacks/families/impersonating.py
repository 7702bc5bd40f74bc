"""Impersonation headers, with and without the right to them."""

from tests.attacks.attack import Attack, policies, policy, rights
from tests.attacks.calling import ALICE, BOB, CAROL, DAVE, ROOT, SWEEPER_THIEF, THIEF
from tests.attacks.stage import Scene, Stage, decide
from tests.attacks.ways import ask, bind, merge_status
from tests.integration.installed import MASTERS, OPERATOR

BOB_BY_DAVE = DAVE.as_(BOB.name)


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


# "cannot impersonate resource users" or, since the right can be limited to some verbs, "cannot impersonate-on:user-info:patch".
REFUSED = rights("cannot impersonate")

ATTACKS = [
    Attack(
        "alice approves her own as bob, without the right",
        pending,
        lambda s: decide(s, ALICE.as_(BOB.name), stage="owners"),
        REFUSED,
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave approves as carol, and may be bob only",
        pending,
        lambda s: decide(s, DAVE.as_(CAROL.name)),
        REFUSED,
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave approves as bob among the cluster admins",
        pending,
        lambda s: decide(s, DAVE.as_(BOB.name, *MASTERS)),
        REFUSED,
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave approves as bob among the approvers",
        pending,
        lambda s: decide(s, DAVE.as_(BOB.name, "approvers")),
        REFUSED,
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave writes the status as the operator",
        pending,
        lambda s: merge_status(s, DAVE.as_(OPERATOR), {"phase": "Approved"}),
        REFUSED,
        lambda s: merge_status(s, THIEF, {"phase": "Approved"}),
    ),
    Attack(
        "dave, as bob, decides in his own name",
        pending,
        lambda s: decide(s, BOB_BY_DAVE, by=DAVE.name, stage="owners"),
        policy("request-decision", "decisions[].by must be bob@example.com"),
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave, as bob, approves what bob has asked for",
        lambda stage: stage.in_phase("Pending", BOB),
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
        policy("request-decision", "you cannot approve a request that you made"),
        lambda s: decide(pending(s.stage), BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "dave, as bob, asks for himself",
        pending,
        lambda s: ask(s, BOB_BY_DAVE, s.stage.request(BOB, requester=DAVE.name)),
        policy("request-identity", "spec.requester must be bob@example.com"),
        lambda s: ask(s, BOB_BY_DAVE, s.stage.request(BOB)),
    ),
    Attack(
        "dave, as bob, has no more rights than bob",
        pending,
        lambda s: decide(s, BOB_BY_DAVE, stage="security"),
        policy("request-decision", "you need the verb approve on accesspolicies/debug, subresource security"),
        lambda s: decide(s, BOB_BY_DAVE, stage="owners"),
    ),
    Attack(
        "an admin, as bob among the cluster admins, decides as carol",
        pending,
        lambda s: decide(s, ROOT.as_(BOB.name, *MASTERS), by=CAROL.name),
        policy("request-decision", "decisions[].by must be bob@example.com"),
        lambda s: decide(s, ROOT.as_(BOB.name, *MASTERS)),
    ),
    Attack(
        "an admin, as bob among the cluster admins, changes the phase",
        pending,
        lambda s: merge_status(s, ROOT.as_(BOB.name, *MASTERS), {"phase": "Approved"}),
        policy("request-decision", "only status.decisions may be changed by users"),
        lambda s: decide(s, ROOT.as_(BOB.name, *MASTERS)),
    ),
    Attack(
        "an admin, as the operator, decides",
        pending,
        lambda s: decide(s, ROOT.as_(OPERATOR, *MASTERS), by=BOB.name),
        policy("operator-decides-nothing", "the operator makes no decisions"),
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "an admin, as a user whose name begins like the operator's, writes the status",
        pending,
        lambda s: merge_status(s, ROOT.as_(f"{OPERATOR}2", *MASTERS), {"phase": "Approved"}),
        policy("request-decision", "only status.decisions may be changed by users"),
        lambda s: merge_status(s, THIEF, {"phase": "Approved"}),
    ),
    Attack(
        "an admin, as the operator's name in another case, writes the status",
        pending,
        lambda s: merge_status(s, ROOT.as_(OPERATOR.replace("curfew", "Curfew"), *MASTERS), {"phase": "Approved"}),
        policy("request-decision", "only status.decisions may be changed by users"),
        lambda s: merge_status(s, THIEF, {"phase": "Approved"}),
    ),
    Attack(
        "an admin, as a group of the operator's, makes a grant",
        pending,
        lambda s: bind(s, ROOT.as_("x", "system:serviceaccounts:curfew-system", *MASTERS), s.grant()),
        policies("managed-bindings"),
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "the operator's token is used to be bob",
        pending,
        lambda s: decide(s, THIEF.as_(BOB.name), stage="owners"),
        REFUSED,
        lambda s: decide(s, BOB, stage="owners"),
    ),
    Attack(
        "the operator's token is used to be a cluster admin",
        pending,
        lambda s: decide(s, THIEF.as_("admin", *MASTERS)),
        REFUSED,
        lambda s: decide(s, ROOT),
    ),
    Attack(
        "the sweeper's token is used to be the operator",
        pending,
        lambda s: merge_status(s, SWEEPER_THIEF.as_(OPERATOR), {"phase": "Approved"}),
        REFUSED,
        lambda s: merge_status(s, THIEF, {"phase": "Approved"}),
    ),
    Attack(
        "a service account's token is used to be bob",
        pending,
        lambda s: decide(s, s.stage.bot.as_(BOB.name), stage="owners"),
        REFUSED,
        lambda s: decide(s, BOB, stage="owners"),
    ),
]
