"""Requests that are made so as to be somebody else's, or to be more than a request."""

from typing import Any

from tests.attacks.attack import Attack, Refusal, conflict, policy, rights, schema
from tests.attacks.calling import ALICE, BOB, CAROL, DAVE, ROOT, Call, Who
from tests.attacks.stage import FRANK, Manifest, Scene, Stage, in_hours
from tests.attacks.ways import ask, create
from tests.integration.installed import MASTERS

NOT_ALICE = policy("request-identity", "spec.requester must be alice@example.com")
MARKS = policy("request-identity", "labels and annotations that begin with curfew.dev/ are written by Curfew alone")
BARE = policy("request-identity", "an AccessRequest is created without finalizers and ownerReferences")
NOBODY = ROOT.as_("system:anonymous", *MASTERS)
PEOPLE_ONLY = policy("request-identity", "only people may hold a grant")


def pending(stage: Stage) -> Scene:
    """Have a request of alice's: the new ones stand beside it."""
    return stage.in_phase("Pending")


def own(scene: Scene) -> Call:
    """Return a request of alice's for herself."""
    return ask(scene, ALICE, scene.stage.request(ALICE))


def in_the_name_of(name: str, title: str, refused: Refusal = NOT_ALICE) -> Attack:
    """Have alice ask for somebody whose name looks like hers, or like nobody's."""
    return Attack(title, pending, lambda s: ask(s, ALICE, s.stage.request(ALICE, requester=name)), refused, own)


def with_metadata(title: str, refused: Refusal, attempt: Manifest, twin: Manifest) -> Attack:
    """Have alice ask for herself, with more in the metadata than is hers to write."""

    def asked(scene: Scene, meta: Manifest) -> Call:
        request = scene.stage.request(ALICE)
        return ask(scene, ALICE, {**request, "metadata": {**request["metadata"], **meta}})

    return Attack(title, pending, lambda s: asked(s, attempt), refused, lambda s: asked(s, twin))


def with_spec(title: str, refused: Refusal, attempt: Manifest, twin: Manifest) -> Attack:
    """Have alice ask for herself, with something in the spec that cannot be."""
    return Attack(
        title,
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, **attempt)),
        refused,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, **twin)),
    )


def generated(scene: Scene, who: Who, prefix: str, **spec: Any) -> Call:
    """Return a request whose name the API server is to make."""
    request = scene.stage.request(who, **spec)
    return ask(scene, who, {**request, "metadata": {"generateName": prefix}})


def owner(scene: Scene, **fields: Any) -> Manifest:
    """Return a reference to a request, as owner."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "name": scene.name,
        "uid": scene.uid,
        **fields,
    }


def no_right(policy_name: str) -> Refusal:
    """Expect to be told which right is missing."""
    return policy("request-identity", f"you need the verb request on accesspolicies/{policy_name}")


IDENTITY = [
    in_the_name_of("Alice@example.com", "for a name in another case"),
    in_the_name_of("аlice@example.com", "for a name with a Cyrillic letter"),  # noqa: RUF001
    in_the_name_of("alice@example.com@example.com", "for a name that only begins like one's own"),
    in_the_name_of("alice", "for the first name alone"),
    in_the_name_of("system:masters", "for the group of cluster admins", PEOPLE_ONLY),
    in_the_name_of("approvers", "for a group"),
    in_the_name_of("*", "for everybody"),
    in_the_name_of("dave@example.com", "for dave"),
    with_spec("for nobody", schema("spec.requester"), {"requester": ""}, {}),
    with_spec("for a name that is too long", schema("may not be more than 512"), {"requester": "a" * 513}, {}),
    with_spec("for a list of people", schema("must be of type string"), {"requester": [ALICE.name, BOB.name]}, {}),
    Attack(
        "for alice, by dave, who is neither she nor acts for others",
        pending,
        lambda s: ask(s, DAVE, s.stage.request(DAVE, requester=ALICE.name)),
        policy("request-identity", "spec.requester must be dave@example.com"),
        own,
    ),
    Attack(
        "a service account for itself, which has the verb",
        pending,
        lambda s: ask(s, s.stage.bot, s.stage.request(s.stage.bot)),
        PEOPLE_ONLY,
        lambda s: ask(s, BOB, s.stage.request(BOB)),
    ),
    Attack(
        "a service account for a person, without the verb for that",
        pending,
        lambda s: ask(s, s.stage.bot, s.stage.request(s.stage.bot, requester=ALICE.name)),
        policy("request-identity", "spec.requester must be system:serviceaccount:"),
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=ALICE.name)),
    ),
    Attack(
        "a GitOps controller for itself",
        pending,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git)),
        PEOPLE_ONLY,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=BOB.name)),
    ),
    Attack(
        "a GitOps controller for another service account",
        pending,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=s.stage.bot.name)),
        PEOPLE_ONLY,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=BOB.name)),
    ),
    Attack(
        "a GitOps controller for another policy than it may",
        pending,
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=ALICE.name, policyName="other")),
        policy("request-identity", "spec.requester must be system:serviceaccount:"),
        lambda s: ask(s, s.stage.git, s.stage.request(s.stage.git, requester=ALICE.name)),
    ),
    Attack(
        "an admin for a node",
        pending,
        lambda s: ask(s, ROOT, s.stage.request(ROOT, requester="system:node:worker-1")),
        PEOPLE_ONLY,
        lambda s: ask(s, ROOT, s.stage.request(ROOT, requester=DAVE.name)),
    ),
    Attack(
        "an admin as nobody in particular",
        pending,
        lambda s: ask(s, NOBODY, s.stage.request(NOBODY)),
        PEOPLE_ONLY,
        lambda s: ask(s, ROOT, s.stage.request(ROOT)),
    ),
]

ASKING = [
    with_spec("for all policies at once", no_right("*"), {"policyName": "*"}, {}),
    with_spec("for a stage of the policy", no_right("debug/owners"), {"policyName": "debug/owners"}, {}),
    with_spec("for a policy of another namespace", no_right("../x/debug"), {"policyName": "../x/debug"}, {}),
    with_spec("for a policy in another case", no_right("Debug"), {"policyName": "Debug"}, {}),
    with_spec("for a policy with a space behind it", no_right("debug"), {"policyName": "debug "}, {}),
    with_spec(
        "for a policy that is not there, under a right one has not", no_right("root"), {"policyName": "root"}, {}
    ),
    with_spec(
        "for a policy with a line in it",
        schema("policyName must not have control characters"),
        {"policyName": "debug\n"},
        {},
    ),
    with_spec("for no policy", schema("spec.policyName"), {"policyName": ""}, {}),
    with_spec(
        "for a policy of a name that is too long", schema("may not be more than 63"), {"policyName": "p" * 64}, {}
    ),
    with_spec("with a reason of more than fits", schema("may not be more than 1024"), {"reason": "x" * 1025}, {}),
    with_spec(
        "with a reason that erases the terminal of whoever reads it",
        schema("reason must not have control characters"),
        {"reason": "\x1b[2K\rnothing to see"},
        {"reason": "much\nto see"},
    ),
    with_spec(
        "with a reason that is turned around for whoever reads it",
        schema("reason must not have control characters"),
        {"reason": "a role for \u202eyadot\u202c"},
        {"reason": "a role for today"},
    ),
    with_spec(
        "with a ticket that goes on in the next line",
        schema("ticket must not have control characters"),
        {"ticket": "INC-1\nApproved: yes"},
        {"ticket": "INC-1"},
    ),
    with_spec("with an empty ticket", schema("spec.ticket"), {"ticket": ""}, {"ticket": "I"}),
    with_spec("with a ticket of more than fits", schema("may not be more than 256"), {"ticket": "I" * 257}, {}),
    with_spec("for no time", schema("duration must be between 1m and 744h"), {"duration": "0s"}, {"duration": "60s"}),
    with_spec(
        "for a duration in other digits",
        schema("duration must be a duration in whole hours"),
        {"duration": "١h"},  # noqa: RUF001
        {"duration": "1h"},
    ),
    with_spec(
        "for a month and a second",
        schema("duration must be between 1m and 744h"),
        {"duration": "743h59m61s"},
        {"duration": "3h59m60s"},
    ),
    with_spec(
        "for a duration as a number", schema("must be of type string"), {"duration": 3600}, {"duration": "3600s"}
    ),
    with_spec(
        "from a time that nobody can read",
        schema("spec.notBefore in body should match"),
        {"notBefore": "2030-01-01T00:00:00,5Z"},
        {"notBefore": in_hours(1).replace("Z", ".5Z")},
    ),
    with_spec(
        "from a time before time",
        schema("notBefore must be a time between the years 2020 and 2100"),
        {"notBefore": "0001-01-01T00:00:00Z"},
        {"notBefore": in_hours(1)},
    ),
    Attack(
        "in a namespace where one may write requests but ask for nothing",
        pending,
        lambda s: create(s.stage, ALICE, "accessrequests", s.stage.request(ALICE), namespace=s.stage.elsewhere),
        no_right("debug"),
        own,
    ),
    Attack(
        "in a namespace where one may do nothing",
        pending,
        lambda s: create(s.stage, ALICE, "accessrequests", s.stage.request(ALICE), namespace="default"),
        rights('cannot create resource "accessrequests"'),
        own,
    ),
    Attack(
        "with the verb of a group that one is not in",
        pending,
        lambda s: ask(s, CAROL, s.stage.request(CAROL)),
        no_right("debug"),
        lambda s: ask(s, BOB, s.stage.request(BOB)),
    ),
    Attack(
        "as an approver who may not ask",
        pending,
        lambda s: ask(s, FRANK, s.stage.request(FRANK)),
        no_right("debug"),
        own,
    ),
]

GENERATED_NAMES = [
    Attack(
        "a generated name, in another's name",
        pending,
        lambda s: generated(s, ALICE, "r-", requester=BOB.name),
        NOT_ALICE,
        lambda s: generated(s, ALICE, "r-"),
    ),
    Attack(
        "a generated name, for a policy that one may not ask for",
        pending,
        lambda s: generated(s, ALICE, "r-", policyName="root"),
        no_right("root"),
        lambda s: generated(s, ALICE, "r-"),
    ),
    Attack(
        "a generated name that is no name",
        pending,
        lambda s: generated(s, ALICE, "../debug"),
        schema("metadata.generateName"),
        lambda s: generated(s, ALICE, "debug-"),
    ),
    Attack(
        "a name that is another's, to take its place",
        pending,
        lambda s: ask(s, BOB, s.stage.request(BOB, meta={"name": s.name})),
        conflict("already exists"),
        lambda s: ask(s, BOB, s.stage.request(BOB)),
    ),
]

MARKED = [
    with_metadata("with the finalizer that orphans", BARE, {"finalizers": ["orphan"]}, {"finalizers": []}),
    with_metadata(
        "with the finalizer that waits for dependents", BARE, {"finalizers": ["foregroundDeletion"]}, {"finalizers": []}
    ),
    with_metadata(
        "with a finalizer that looks like ours", BARE, {"finalizers": ["curfew.dev/granted"]}, {"finalizers": []}
    ),
    Attack(
        "owned by another request",
        pending,
        lambda s: ask(
            s,
            ALICE,
            s.stage.request(ALICE, meta={"name": f"{s.name}-2", "ownerReferences": [owner(s, controller=True)]}),
        ),
        BARE,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "ownerReferences": []})),
    ),
    with_metadata(
        "with the label of a grant",
        MARKS,
        {"labels": {"curfew.dev/request-uid": "x"}},
        {"labels": {"request-uid": "x"}},
    ),
    with_metadata(
        "with an end of its own choice",
        MARKS,
        {"annotations": {"curfew.dev/expires-at": "2099-01-01T00:00:00Z"}},
        {"annotations": {"expires-at": "2099-01-01T00:00:00Z"}},
    ),
    with_metadata(
        "with a mark of ours that does not exist",
        MARKS,
        {"labels": {"curfew.dev/approved": "true"}},
        {"labels": {"curfew.dev.example.com/approved": "true"}},
    ),
    with_metadata(
        "with a mark of ours among its own",
        MARKS,
        {"labels": {"team": "pay", "curfew.dev/closed": ""}},
        {"labels": {"team": "pay"}},
    ),
]
