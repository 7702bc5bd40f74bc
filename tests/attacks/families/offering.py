"""Policies that offer what their author could not give, or that are not what they seem."""

from typing import Any

from tests.attacks.attack import Attack, Refusal, policy, rights, schema
from tests.attacks.calling import ALICE, CAROL, DAVE, MERGE, ROOT, THIEF, Call, Who
from tests.attacks.stage import Manifest, Scene, Stage, new_name
from tests.attacks.ways import apply_new, create
from tests.integration.installed import MASTERS

ADMINS = {"kind": "ClusterRole", "name": "cluster-admin"}
STATUS = policy("policy-status", "the status of an AccessPolicy is written by Curfew alone")
READY = {
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Ready",
            "message": "so it is",
            "lastTransitionTime": "2029-01-01T00:00:00Z",
        }
    ]
}


def cannot_offer(role: str) -> Refusal:
    """Expect to be told which right is missing."""
    return policy("policy-no-escalation", f"you need the verb bind on {role} to offer it")


class Offer(Scene):
    """A prepared policy, where other scenes have a request."""

    @property
    def path(self) -> str:
        """Return where the policy is."""
        return self.stage.path("accesspolicies", self.name)


def nothing(stage: Stage) -> Scene:
    """Have nothing but a name."""
    return Offer(stage, {"metadata": {"name": new_name("p"), "uid": "none"}})


def offered(stage: Stage) -> Scene:
    """Have a policy of dave's that offers view."""
    return Offer(stage, stage.do(create(stage, DAVE, "accesspolicies", stage.policy())))


def offered_by_admin(stage: Stage) -> Scene:
    """Have a policy of the admin's that offers what dave could not bind."""
    return Offer(stage, stage.do(create(stage, ROOT, "accesspolicies", stage.policy(roleRef=ADMINS))))


def offer(scene: Scene, who: Who = DAVE, **spec: Any) -> Call:
    """Return the creation of a policy."""
    return create(scene.stage, who, "accesspolicies", scene.stage.policy(**spec))


def patch(scene: Scene, who: Who, body: Manifest, subresource: str = "") -> Call:
    """Return a merge patch of the policy."""
    return Call(who, "PATCH", scene.path + subresource, body, MERGE)


def role(title: str, refused: Refusal, name: str, kind: str = "ClusterRole") -> Attack:
    """Have dave offer a role; the twin offers view, which he may bind."""
    return Attack(title, nothing, lambda s: offer(s, roleRef={"kind": kind, "name": name}), refused, offer)


def spec(title: str, refused: Refusal, attempt: Manifest, twin: Manifest) -> Attack:
    """Have dave offer view in a way that cannot be."""
    return Attack(title, nothing, lambda s: offer(s, **attempt), refused, lambda s: offer(s, **twin))


def labelled(scene: Scene) -> Call:
    """Return a label on the policy, which offers nothing."""
    return patch(scene, DAVE, {"metadata": {"labels": {"team": "pay"}}})


ATTACKS = [
    role("a policy for the cluster admin's role", cannot_offer("ClusterRole/cluster-admin"), "cluster-admin"),
    role("the operator's own role", cannot_offer("ClusterRole/curfew"), "curfew"),
    role("the role with which the operator grants", cannot_offer("ClusterRole/curfew-granter"), "curfew-granter"),
    role("a role that is not there yet", cannot_offer("ClusterRole/tomorrow"), "tomorrow"),
    role("all roles", cannot_offer("ClusterRole/*"), "*"),
    role("a Role of the name of a ClusterRole that one may bind", cannot_offer("Role/view"), "view", "Role"),
    role("a ClusterRole of the name of a Role that one may bind", cannot_offer("ClusterRole/support"), "support"),
    role("a role in another case", cannot_offer("ClusterRole/View"), "View"),
    role("a role of another kind", schema('Unsupported value: "clusterrole"'), "view", "clusterrole"),
    role("a role of no name", schema("spec.roleRef.name"), ""),
    Attack(
        "another role, by a merge patch",
        offered,
        lambda s: patch(s, DAVE, {"spec": {"roleRef": ADMINS}}),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: patch(s, DAVE, {"spec": {"roleRef": {"kind": "Role", "name": "support"}}}),
    ),
    Attack(
        "another kind of role, by a merge patch",
        offered,
        lambda s: patch(s, DAVE, {"spec": {"roleRef": {"kind": "Role"}}}),
        cannot_offer("Role/view"),
        labelled,
    ),
    Attack(
        "another role, by a replacement",
        offered,
        lambda s: Call(DAVE, "PUT", s.path, s.changed(lambda p: p["spec"].update(roleRef=ADMINS))),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: Call(DAVE, "PUT", s.path, s.changed(lambda p: p["spec"].update(maxDuration="2h"))),
    ),
    Attack(
        "another role, by server-side apply with force",
        offered,
        lambda s: apply_new(s.stage, DAVE, "accesspolicies", s.stage.policy(meta={"name": s.name}, roleRef=ADMINS)),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: apply_new(s.stage, DAVE, "accesspolicies", s.stage.policy(meta={"name": s.name}, maxDuration="1h")),
    ),
    Attack(
        "a new policy, by server-side apply",
        nothing,
        lambda s: apply_new(s.stage, DAVE, "accesspolicies", s.stage.policy(meta={"name": s.name}, roleRef=ADMINS)),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: apply_new(s.stage, DAVE, "accesspolicies", s.stage.policy(meta={"name": s.name})),
    ),
    Attack(
        "nobody is asked any more, for a role of the admin's",
        offered_by_admin,
        lambda s: patch(s, DAVE, {"spec": {"approval": {"mode": "Automatic"}}}),
        cannot_offer("ClusterRole/cluster-admin"),
        labelled,
    ),
    Attack(
        "permanence is allowed, for a role of the admin's",
        offered_by_admin,
        lambda s: patch(s, CAROL, {"spec": {"allowPermanence": True}}),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: patch(s, ROOT, {"spec": {"allowPermanence": True}}),
    ),
    Attack(
        "a role for longer, of the admin's, by a service account",
        offered_by_admin,
        lambda s: patch(s, s.stage.bot, {"spec": {"maxDuration": "24h"}}),
        cannot_offer("ClusterRole/cluster-admin"),
        lambda s: patch(s, s.stage.bot, {"metadata": {"labels": {"team": "pay"}}}),
    ),
    Attack(
        "one that exists, under its name",
        offered,
        lambda s: create(s.stage, ALICE, "accesspolicies", s.stage.policy(meta={"name": s.name}, maxDuration="24h")),
        Refusal(409, ("already exists",)),
        labelled,
    ),
    Attack(
        "said to be ready by its author",
        offered,
        lambda s: patch(s, DAVE, {"status": READY}, "/status"),
        STATUS,
        lambda s: patch(s, THIEF, {"status": READY}, "/status"),
    ),
    Attack(
        "said to be harmless by an admin among the masters",
        offered,
        lambda s: patch(s, ROOT.as_("x@example.com", *MASTERS), {"status": {"risk": []}}, "/status"),
        STATUS,
        lambda s: patch(s, THIEF, {"status": {"risk": ["ReadsSecrets"]}}, "/status"),
    ),
    Attack(
        "said to be ready by replacing the status",
        offered,
        lambda s: Call(DAVE, "PUT", f"{s.path}/status", s.changed(lambda p: p.update(status=READY))),
        STATUS,
        lambda s: patch(s, THIEF, {"status": READY}, "/status"),
    ),
    Attack(
        "a policy in a namespace where one may do nothing",
        nothing,
        lambda s: create(s.stage, DAVE, "accesspolicies", s.stage.policy(), namespace="default"),
        rights('cannot create resource "accesspolicies"'),
        offer,
    ),
    spec(
        "for more than a day",
        schema("maxDuration must be between 1m and 744h"),
        {"maxDuration": "745h"},
        {"maxDuration": "24h"},
    ),
    spec(
        "with a stage named like a path",
        schema("spec.approval.stages[0].name"),
        {"approval": {"stages": [{"name": "owners/status"}]}},
        {"approval": {"stages": [{"name": "owners-status"}]}},
    ),
    spec(
        "with a stage of the name of a subresource that is",
        schema("a stage cannot be named status"),
        {"approval": {"stages": [{"name": "status"}]}},
        {"approval": {"stages": [{"name": "state"}]}},
    ),
    spec(
        "with a stage that nobody needs to fill",
        schema("spec.approval.stages[0].count"),
        {"approval": {"stages": [{"name": "owners", "count": 0}]}},
        {"approval": {"stages": [{"name": "owners", "count": 1}]}},
    ),
    spec(
        "with fewer than nobody to approve",
        schema("spec.approval.count"),
        {"approval": {"count": -1}},
        {"approval": {"count": 1}},
    ),
    spec(
        "with stages that break the glass",
        schema("approval.stages are for mode Review"),
        {"approval": {"mode": "BreakGlass", "stages": [{"name": "owners"}]}},
        {"approval": {"mode": "BreakGlass"}},
    ),
]
