"""Locks: whoever is locked, or has stolen a token, tries to get out, to keep others out, or to lock in another way than may be.

Those who try are among the masters, whom RBAC refuses nothing, unless it is RBAC that is to refuse.
"""

from collections.abc import Callable
from typing import Any, Final

from tests.attacks.attack import Attack, Refusal, policy, rights, schema
from tests.attacks.calling import ALICE, MERGE, MONITOR_THIEF, PROBE_THIEF, ROOT, SWEEPER_THIEF, THIEF, Call, Who
from tests.attacks.stage import Manifest, Scene, Stage, in_hours, new_name
from tests.attacks.ways import delete
from tests.integration.installed import MASTERS

LOCKS: Final = "/apis/curfew.dev/v1alpha1/accesslocks"
MALLORY: Final = ROOT.as_("mallory@example.com", *MASTERS)
"""Who is locked."""
SECURITY: Final = ROOT.as_("security@example.com", *MASTERS)
"""Who locks and lifts."""

OWN: Final = policy("locks", "nobody lifts or shortens a lock on themselves")
STATUS: Final = policy("locks", "the status of an AccessLock is written by Curfew alone")
MARKS: Final = policy("locks", "finalizers and ownerReferences of an AccessLock stay as they are")
OWNER: Final = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "5ca1ab1e"}


class Locking(Scene):
    """A prepared lock, where other scenes have a request."""

    @property
    def path(self) -> str:
        """Return where the lock is."""
        return f"{LOCKS}/{self.name}"


def a_lock(who: Who = SECURITY, *, meta: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a lock of a new name on mallory, for two hours."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": new_name("lock"), **(meta or {})},
        "spec": {
            "target": {"person": MALLORY.name},
            "reason": "stolen laptop",
            "submittedBy": who.name,
            "endsAt": in_hours(2),
            **spec,
        },
    }


def nothing(stage: Stage) -> Scene:
    """Have nothing but a name."""
    return Locking(stage, {"metadata": {"name": new_name("lock"), "uid": "none"}})


def locked(stage: Stage, **spec: Any) -> Scene:
    """Have a lock on mallory."""
    name = new_name("lock")
    meta = {"name": name, "labels": {"lock": name}}
    return Locking(stage, stage.do(Call(SECURITY, "POST", LOCKS, a_lock(meta=meta, **spec))))


def shouted(stage: Stage) -> Scene:
    """Have a lock on mallory, in other letters."""
    return locked(stage, target={"person": MALLORY.name.upper()})


def make(_: Scene, who: Who = SECURITY, *, meta: Manifest | None = None, **spec: Any) -> Call:
    """Return the creation of a lock."""
    return Call(who, "POST", LOCKS, a_lock(who, meta=meta, **spec))


def patch(scene: Scene, who: Who, body: Manifest, subresource: str = "") -> Call:
    """Return a merge patch of the lock."""
    return Call(who, "PATCH", scene.path + subresource, body, MERGE)


def ends(scene: Scene, who: Who, hours: float | None) -> Call:
    """Return another end of the lock; none without hours."""
    return patch(scene, who, {"spec": {"endsAt": in_hours(hours) if hours is not None else None}})


def all_of_them(scene: Scene, who: Who) -> Call:
    """Return the deletion of all locks with the label of this one."""
    return Call(who, "DELETE", LOCKS, query={"labelSelector": f"lock={scene.name}"})


def changed(title: str, refused: Refusal, spec: Manifest) -> Attack:
    """Have security itself change what may not be changed; the twin brings the end closer."""
    return Attack(title, locked, lambda s: patch(s, SECURITY, {"spec": spec}), refused, lambda s: ends(s, SECURITY, 1))


def made(title: str, refused: Refusal, **lock: Any) -> Attack:
    """Have security make a lock that may not be."""
    return Attack(title, nothing, lambda s: make(s, **lock), refused, make)


def stolen(title: str, who: Who, attempt: Callable[[Scene], Call], sentence: str) -> Attack:
    """Have a stolen token do what the chart gives it no right to; the twin is security's."""
    return Attack(f"{title}, with a stolen token ({who.login})", locked, attempt, rights(sentence), make)


ATTACKS: Final = [
    Attack(
        "lifted by the person whom it locks",
        locked,
        lambda s: delete(s.path, MALLORY),
        OWN,
        lambda s: delete(s.path, SECURITY),
    ),
    Attack(
        "lifted by that person, whose name the lock has in other letters",
        shouted,
        lambda s: delete(s.path, MALLORY),
        OWN,
        lambda s: delete(s.path, SECURITY),
    ),
    Attack(
        "lifted by that person, together with all others",
        locked,
        lambda s: all_of_them(s, MALLORY),
        OWN,
        lambda s: all_of_them(s, SECURITY),
    ),
    Attack(
        "shortened by the person whom it locks",
        locked,
        lambda s: ends(s, MALLORY, 1),
        OWN,
        lambda s: ends(s, SECURITY, 1),
    ),
    Attack(
        "lifted by somebody without the right",
        locked,
        lambda s: delete(s.path, ALICE),
        rights('cannot delete resource "accesslocks"'),
        lambda s: delete(s.path, SECURITY),
    ),
    Attack(
        "made by somebody without the right",
        nothing,
        lambda s: make(s, ALICE),
        rights('cannot create resource "accesslocks"'),
        make,
    ),
    Attack(
        "its end is put off",
        locked,
        lambda s: ends(s, SECURITY, 3),
        schema("never put off"),
        lambda s: ends(s, SECURITY, 1),
    ),
    Attack(
        "its end is removed",
        locked,
        lambda s: ends(s, SECURITY, None),
        schema("never put off"),
        lambda s: ends(s, SECURITY, 1),
    ),
    changed("another reason for a lock", schema("only endsAt can be changed"), {"reason": "no reason"}),
    changed(
        "a lock turned on another", schema("only endsAt can be changed"), {"target": {"person": "bob@example.com"}}
    ),
    changed("a lock widened", schema("exactly one of"), {"target": {"everything": True}}),
    changed("a lock said to be somebody else's", schema("only endsAt can be changed"), {"submittedBy": MALLORY.name}),
    made("a lock on two things", schema("exactly one of"), target={"person": "x", "namespace": "y"}),
    made("a lock on nothing", schema("exactly one of"), target={}),
    made("a lock on anything but everything", schema("everything can only be true"), target={"everything": False}),
    made("a lock on a name that nobody can read", schema("distinguishable"), target={"person": "al\u200bice"}),
    made("a lock on a name of a megabyte", schema("Too long"), target={"person": "x" * 1_000_000}),
    made("a lock with a reason of a megabyte", schema("Too long"), reason="x" * 1_000_000),
    made("a lock with a reason that rings the bell", schema("control characters"), reason="a\x07b"),
    made("a lock without a reason", schema("spec.reason"), reason=""),
    made("a lock on a policy that leads elsewhere", schema("spec.target.policy"), target={"policy": "a/../b"}),
    made("a lock that is over", policy("locks", "spec.endsAt must be in the future"), endsAt=in_hours(-1)),
    made(
        "a lock that stays when it is lifted",
        policy("locks", "an AccessLock is created without finalizers"),
        meta={"finalizers": ["example.com/stay"]},
    ),
    made(
        "a lock that goes with something else",
        policy("locks", "an AccessLock is created without finalizers"),
        meta={"ownerReferences": [OWNER]},
    ),
    Attack(
        "a lock that is given a finalizer",
        locked,
        lambda s: patch(s, SECURITY, {"metadata": {"finalizers": ["example.com/stay"]}}),
        MARKS,
        lambda s: patch(s, SECURITY, {"metadata": {"labels": {"team": "red"}}}),
    ),
    Attack(
        "a lock that is given an owner, with which it would go",
        locked,
        lambda s: patch(s, SECURITY, {"metadata": {"ownerReferences": [OWNER]}}),
        MARKS,
        lambda s: patch(s, SECURITY, {"metadata": {"labels": {"team": "red"}}}),
    ),
    Attack(
        "a lock said to be over by the person whom it locks",
        locked,
        lambda s: patch(s, MALLORY, {"status": {"grantsEnded": 7}}, "/status"),
        STATUS,
        lambda s: patch(s, THIEF, {"status": {"grantsEnded": 7}}, "/status"),
    ),
    Attack(
        "a lock made with the probe's token",
        nothing,
        lambda s: make(s, PROBE_THIEF),
        policy("locks", "this service account can lock nothing"),
        make,
    ),
    *(
        stolen("a lock is made", who, lambda s, who=who: make(s, who), 'cannot create resource "accesslocks"')  # type: ignore[misc]
        for who in (THIEF, SWEEPER_THIEF, MONITOR_THIEF)
    ),
    *(
        stolen("a lock is lifted", who, lambda s, who=who: delete(s.path, who), 'cannot delete resource "accesslocks"')  # type: ignore[misc]
        for who in (THIEF, SWEEPER_THIEF, MONITOR_THIEF, PROBE_THIEF)
    ),
    stolen("a lock is shortened", THIEF, lambda s: ends(s, THIEF, 1), 'cannot patch resource "accesslocks"'),
]
