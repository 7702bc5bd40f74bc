"""Who resolves or silences alerts is who the API server authenticated, and nothing but a sensible answer is taken."""

import json
from collections.abc import Mapping

import pytest

from tests.integration.admission.asking import (
    ALICE,
    BOB,
    GIT,
    Attempt,
    Manifest,
    World,
    changed,
    in_hours,
    new_name,
    succeed,
    with_meta,
)
from tests.integration.installed import MASTERS, Done

ALERT = "0123456789abcdef" * 2


def response(by: str = ALICE, *, without: str = "", **spec: object) -> Manifest:
    """Return an AlertResponse of a new name: a silence for an hour, unless the fields show something else."""
    told = {"action": "Silence", "detector": "ManyRequests", "reason": "a drill", "endsAt": in_hours(1), **spec}
    told |= {"submittedBy": by}
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AlertResponse",
        "metadata": {"name": new_name("answer")},
        "spec": {name: value for name, value in told.items() if name not in without.split()},
    }


def resolve(**spec: object) -> Manifest:
    """Return an AlertResponse that resolves an alert, with more fields if they are given."""
    told: Manifest = {"action": "Resolve", "alert": ALERT, **spec}
    return response(without="detector" if "endsAt" in spec else "detector endsAt", **told)


def answer(world: World, manifest: Manifest, user: str = ALICE) -> Done:
    """Create a response, with all rights there are."""
    return world.cluster.api.create(manifest, user=user, groups=MASTERS)


def change(world: World, body: Mapping[str, object]) -> Done:
    """Change a response that was taken, with all rights there are."""
    manifest = response()
    succeed(answer(world, manifest))
    path = world.cluster.api.path_of(manifest)
    return world.cluster.api.ask(
        "PATCH", path, body, user=ALICE, groups=MASTERS, content_type="application/merge-patch+json"
    )


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}

ATTEMPTS = [
    Attempt("a silence", lambda w: answer(w, response())),
    Attempt("a silence about a policy", lambda w: answer(w, response(policy="debug", namespace="payments"))),
    Attempt("a silence about somebody else", lambda w: answer(w, response(person=BOB))),
    Attempt("the end of an alert", lambda w: answer(w, resolve())),
    Attempt("about oneself", lambda w: answer(w, response(person=ALICE)), "nobody can silence alerts about themselves"),
    Attempt("by a service account", lambda w: answer(w, response(GIT), GIT), "only people may"),
    Attempt("over already", lambda w: answer(w, response(endsAt=in_hours(-1))), "must be in the future"),
    Attempt("for a year", lambda w: answer(w, response(endsAt=in_hours(24 * 365))), "at most 90 days away"),
    Attempt("for ever", lambda w: answer(w, response(without="endsAt")), "endsAt is needed with Silence"),
    Attempt("everything", lambda w: answer(w, response(without="detector")), "at least one of detector"),
    Attempt("a policy of nowhere", lambda w: answer(w, response(policy="debug")), "policy needs namespace"),
    Attempt("no reason", lambda w: answer(w, response(reason=" ")), "reason must have visible characters"),
    Attempt("the end of nothing", lambda w: answer(w, response(action="Resolve")), "alert is needed with Resolve"),
    Attempt("an id that is none", lambda w: answer(w, resolve(alert="x" * 32)), "spec.alert"),
    Attempt(
        "both at once", lambda w: answer(w, resolve(endsAt=in_hours(1))), "endsAt is needed with Silence, and only"
    ),
    Attempt("another action", lambda w: answer(w, response(action="Forget")), "spec.action"),
    Attempt("with an owner", lambda w: answer(w, with_meta(response(), ownerReferences=[OWNER])), "without finalizers"),
    Attempt(
        "with many labels",
        lambda w: answer(w, with_meta(response(), labels={f"l{number}": "x" for number in range(21)})),
        "at most 20 labels",
    ),
    Attempt("changed later", lambda w: change(w, {"spec": {"reason": "another"}}), "spec is immutable"),
    Attempt("labelled later", lambda w: change(w, {"metadata": {"labels": {"team": "security"}}})),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_answers_to_alerts(world: World, attempt: Attempt) -> None:
    attempt.judge(world)


def test_nobody_answers_by_another_name(world: World) -> None:
    """The name is refused, or replaced by the caller's."""
    manifest = response(BOB)

    done = answer(world, manifest)

    if done.returncode:
        assert "spec.submittedBy must be alice@example.com" in done.stderr
    else:
        assert json.loads(done.stdout)["spec"]["submittedBy"] == ALICE


def test_people_need_a_right(world: World) -> None:
    """It is not in what everybody may do."""
    done = world.create(changed(response()), ALICE)

    assert 'cannot create resource "alertresponses"' in done.stderr
