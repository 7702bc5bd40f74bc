"""Nobody offers a role that they could not bind themselves, and a policy that makes no sense is refused with a sentence."""

import pytest

from tests.integration.admission.asking import DAVE, Attempt, Manifest, World, succeed
from tests.integration.installed import MASTERS, OPERATOR
from tools.servers.pki import ADMIN

ROLE = {"kind": "ClusterRole", "name": "cluster-admin"}
STATUS = ("--subresource=status",)


def offered(world: World, user: str = DAVE, **spec: object) -> str:
    """Have an AccessPolicy, and return its name."""
    manifest = world.policy(**spec)
    succeed(world.create(manifest, user))
    return str(manifest["metadata"]["name"])


def approval(**fields: object) -> Manifest:
    """Return the part of a policy that says who must agree."""
    return {"approval": fields}


OFFERS = [
    Attempt("a role that the author could bind", lambda w: w.create(w.policy(), DAVE)),
    Attempt(
        "more than the author could bind",
        lambda w: w.create(w.policy(roleRef=ROLE), DAVE),
        "you need the verb bind on ClusterRole/cluster-admin to offer it",
    ),
    Attempt(
        "a Role that the author could not bind",
        lambda w: w.create(w.policy(roleRef={"kind": "Role", "name": "view"}), DAVE),
        "you need the verb bind on Role/view to offer it",
    ),
    Attempt("anything, by a cluster admin", lambda w: w.create(w.policy(roleRef=ROLE), ADMIN)),
    Attempt(
        "another role later",
        lambda w: w.patch("accesspolicy", offered(w), "merge", {"spec": {"roleRef": ROLE}}, DAVE),
        "you need the verb bind on ClusterRole/cluster-admin to offer it",
    ),
    Attempt(
        "a role of somebody else's for longer",
        lambda w: w.patch(
            "accesspolicy", offered(w, ADMIN, roleRef=ROLE), "merge", {"spec": {"maxDuration": "24h"}}, DAVE
        ),
        "you need the verb bind on ClusterRole/cluster-admin to offer it",
    ),
    Attempt(
        "nothing new: a label on somebody else's",
        lambda w: w.mark(DAVE, "accesspolicy", offered(w, ADMIN, roleRef=ROLE), {"team": "pay"}),
    ),
    Attempt(
        "nothing any more: deleted in the foreground",
        lambda w: w.kubectl(DAVE, "delete", "accesspolicy", offered(w), "--cascade=foreground", "--timeout=90s"),
    ),
]

STATUSES = [
    Attempt(
        "rewritten as it is, by a storage migrator", lambda w: w.rewrite("accesspolicy", offered(w), ADMIN, *STATUS)
    ),
    Attempt(
        "by a user",
        lambda w: w.patch("accesspolicy", offered(w), "merge", {"status": {"risk": []}}, DAVE, (), STATUS),
        "written by Curfew alone",
    ),
    Attempt(
        "by a cluster admin",
        lambda w: w.patch("accesspolicy", offered(w), "merge", {"status": {"risk": []}}, ADMIN, (), STATUS),
        "written by Curfew alone",
    ),
    Attempt(
        "by the operator",
        lambda w: w.patch(
            "accesspolicy", offered(w), "merge", {"status": {"risk": ["ReadsSecrets"]}}, OPERATOR, MASTERS, STATUS
        ),
    ),
]

SHAPES = [
    ("no role", {"roleRef": None}, "spec.roleRef: Required value"),
    ("a role of another kind", {"roleRef": {"kind": "Group", "name": "x"}}, 'Unsupported value: "Group"'),
    ("a role without a name", {"roleRef": {"kind": "Role", "name": ""}}, "spec.roleRef.name"),
    ("no bound", {"maxDuration": None}, "spec.maxDuration: Required value"),
    ("a bound that is no duration", {"maxDuration": "4 hours"}, "maxDuration must be a duration in whole hours"),
    ("a bound in days", {"maxDuration": "1d"}, "maxDuration must be a duration in whole hours"),
    ("a bound of more than a month", {"maxDuration": "744h1s"}, "maxDuration must be between 1m and 744h"),
    ("a bound of seconds", {"maxDuration": "59s"}, "maxDuration must be between 1m and 744h"),
    ("a bound of a day", {"maxDuration": "24h"}, None),
    ("hardly time to decide", {"decideWithin": "30s"}, "decideWithin must be between 1m and 168h"),
    ("more than a week to decide", {"decideWithin": "168h1s"}, "decideWithin must be between 1m and 168h"),
    ("a week to decide", {"decideWithin": "168h"}, None),
    ("a mode that is none", approval(mode="Nobody"), 'Unsupported value: "Nobody"'),
    ("nobody to agree", approval(mode="Review", count=0), "spec.approval.count"),
    ("more people than there can be", approval(count=11), "spec.approval.count"),
    ("two people", approval(mode="Review", count=2), None),
    ("stages", approval(stages=[{"name": "owners", "count": 1}, {"name": "security", "count": 2}]), None),
    ("a stage of nobody", approval(stages=[{"name": "owners", "count": 0}]), "spec.approval.stages[0].count"),
    ("a stage without a name", approval(stages=[{"count": 1}]), "spec.approval.stages[0].name: Required value"),
    ("a stage that is no label", approval(stages=[{"name": "The Owners"}]), "spec.approval.stages[0].name"),
    ("a stage with a slash", approval(stages=[{"name": "owners/status"}]), "spec.approval.stages[0].name"),
    ("a stage twice", approval(stages=[{"name": "owners"}, {"name": "owners"}]), "Duplicate value"),
    (
        "more approvals than the list of decisions has room for",
        approval(stages=[{"name": "a", "count": 6}, {"name": "b", "count": 5}]),
        "all stages together may ask for at most 10 approvals",
    ),
    (
        "stages where nobody is asked",
        approval(mode="Automatic", stages=[{"name": "owners"}]),
        "approval.stages are for mode Review",
    ),
    ("nobody is asked", approval(mode="Automatic"), None),
    ("a ticket of a form", {"ticket": {"required": True, "pattern": "INC-[0-9]+"}}, None),
    (
        "a ticket's form that is no expression",
        {"ticket": {"pattern": "INC-["}},
        "ticket.pattern must be a regular expression in RE2 syntax",
    ),
    (
        "a ticket's form that looks ahead",
        {"ticket": {"pattern": "(?=INC)"}},
        "ticket.pattern must be a regular expression in RE2 syntax",
    ),
    ("a ticket's form that is too long", {"ticket": {"pattern": "a" * 257}}, "spec.ticket.pattern"),
    ("a reason of no length", {"reason": {"minLength": 0}}, "spec.reason.minLength"),
    ("nothing active", {"limits": {"activePerRequester": 0}}, "spec.limits.activePerRequester"),
    ("an unknown field", {"approvers": ["alice"]}, "unknown field"),
]


@pytest.mark.parametrize("attempt", OFFERS, ids=str)
def test_offering(world: World, attempt: Attempt) -> None:
    """Somebody offers a role."""
    attempt.judge(world)


@pytest.mark.parametrize("attempt", STATUSES, ids=str)
def test_the_status_is_what_curfew_found(world: World, attempt: Attempt) -> None:
    """Somebody writes the status of an AccessPolicy."""
    attempt.judge(world)


@pytest.mark.parametrize(("spec", "refused"), [pytest.param(*rest, id=title) for title, *rest in SHAPES])
def test_the_shape_of_a_policy(world: World, spec: Manifest, refused: str | None) -> None:
    """Somebody writes an AccessPolicy, well or badly."""
    manifest = world.policy()
    manifest["spec"].update(spec)
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value is not None}

    Attempt("a policy", lambda w: w.create(manifest, ADMIN), refused).judge(world)


def test_a_policy_shows_what_applies(world: World) -> None:
    """What its author left out is filled in, so that nobody has to know the defaults."""
    name = offered(world)

    path = "{.spec.decideWithin} {.spec.approval.mode} {.spec.approval.count} {.spec.limits.pendingPerRequester}"
    shown = succeed(world.kubectl(DAVE, "get", "accesspolicy", name, f"--output=jsonpath={path}"))

    assert shown == "1h Review 1 3"


def test_a_policy_name_fits_a_request(world: World) -> None:
    """A policy whose name no request can say is refused."""
    manifest = world.policy()
    manifest["metadata"]["name"] = "a" * 64

    Attempt("too long", lambda w: w.create(manifest, ADMIN), "metadata.name must be at most 63 characters").judge(world)
