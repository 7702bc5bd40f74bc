"""What was done with an access is written by the monitor alone, and the monitor writes nothing else."""

import json

import pytest

from tests.integration.admission.asking import ALICE, BOB, CAROL, GIT, Attempt, World, add_decision, succeed
from tests.integration.installed import MASTERS, MONITOR, OPERATOR, Done
from tools.servers.pki import ADMIN

ACTIVITY = {"changes": "No", "summary": "read 3 objects", "reads": 3, "sensitive": ["SecretRead"], "final": True}
ALONE = "status.activity is written by the monitor alone"
NOTHING_ELSE = "the monitor changes nothing but status.activity"
STATUS = "--subresource=status"
ONLY_DECISIONS = "only status.decisions may be changed by users"


def assess(world: World, name: str, user: str = MONITOR, **fields: object) -> Done:
    """Write the activity of a request, with all rights there are."""
    return world.write_status(name, {"activity": {**ACTIVITY, **fields}}, user, () if user == ADMIN else MASTERS)


def assessed(world: World) -> str:
    """Have an active request whose activity the monitor has written, and return its name."""
    name = world.active()
    succeed(assess(world, name))
    return name


def as_monitor(world: World, body: object, *options: str, name: str = "") -> Done:
    """Merge-patch a request as the monitor with all rights there are."""
    return world.patch("accessrequest", name or assessed(world), "merge", body, MONITOR, MASTERS, options)


def uid(world: World, name: str) -> str:
    """Return the UID of a request."""
    found = json.loads(succeed(world.cluster.api.ask("GET", world.path("accessrequest", name))))
    return str(found["metadata"]["uid"])


def assess_if(world: World, name: str, expected: str) -> Done:
    """Write the activity of a request as the monitor does: only if it is still the request that was meant."""
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": expected},
        {"op": "add", "path": "/status/activity", "value": ACTIVITY},
    ]
    return world.patch("accessrequest", name, "json", operations, MONITOR, MASTERS, (STATUS,))


def assessed_pending(world: World) -> str:
    """Have a request that waits for decisions and already has an activity, and return its name."""
    name = world.pending()
    succeed(assess(world, name))
    return name


def counted(world: World) -> str:
    """Have a request with an approval that counts, and return its name."""
    name = world.pending()
    world.status(name, approvals="1/2")
    return name


def decide(world: World, by: str) -> Done:
    """Add a decision as the monitor."""
    body = [add_decision(by)]
    return world.patch("accessrequest", world.pending(), "json", body, MONITOR, MASTERS, (STATUS,))


WRITING = [
    Attempt("by the monitor", lambda w: assess(w, w.active())),
    Attempt("by the monitor, on what is over", lambda w: assess(w, w.finished())),
    Attempt("by the monitor, again", lambda w: assess(w, assessed(w), changes="Yes", writes=1)),
    Attempt(
        "by the monitor, for the request that it means", lambda w: assess_if(w, (name := w.active()), uid(w, name))
    ),
    Attempt("by the monitor, for an earlier request of that name", lambda w: assess_if(w, w.active(), "x"), "HTTP 422"),
    # Two policies refuse people, and the API server chooses which one answers.
    Attempt("by the requester", lambda w: assess(w, w.active(), ALICE), (ALONE, ONLY_DECISIONS)),
    Attempt("by an approver", lambda w: assess(w, assessed(w), BOB, changes="Yes"), (ALONE, ONLY_DECISIONS)),
    Attempt("by a service account", lambda w: assess(w, w.active(), GIT), (ALONE, ONLY_DECISIONS)),
    Attempt("by a cluster admin", lambda w: assess(w, w.active(), ADMIN), (ALONE, ONLY_DECISIONS)),
    Attempt("by the operator", lambda w: assess(w, w.active(), OPERATOR), ALONE),
    Attempt("changed by the operator", lambda w: assess(w, assessed(w), OPERATOR, changes="Yes"), ALONE),
    Attempt("removed by the operator", lambda w: w.write_status(assessed(w), {"activity": None}), ALONE),
    Attempt(
        "removed by a cluster admin",
        lambda w: w.write_status(assessed(w), {"activity": None}, ADMIN, ()),
        (ALONE, ONLY_DECISIONS),
    ),
    Attempt("left alone by the operator", lambda w: w.write_status(assessed(w), {"endReason": "DurationElapsed"})),
    Attempt("left alone by who decides", lambda w: w.decide(assessed_pending(w), CAROL)),
    Attempt("left alone by a storage migrator", lambda w: w.rewrite("accessrequest", assessed(w), GIT)),
]


STRAYING = [
    Attempt("a decision", lambda w: decide(w, MONITOR), NOTHING_ELSE),
    Attempt(
        "somebody's decision",
        lambda w: decide(w, BOB),
        NOTHING_ELSE,
    ),
    Attempt("the phase", lambda w: as_monitor(w, {"status": {"phase": "Expired"}}, STATUS), NOTHING_ELSE),
    Attempt(
        "the end", lambda w: as_monitor(w, {"status": {"expiresAt": "2029-06-01T00:00:00Z"}}, STATUS), NOTHING_ELSE
    ),
    Attempt("the outbox", lambda w: as_monitor(w, {"status": {"outbox": [{"record": "x"}]}}, STATUS), NOTHING_ELSE),
    Attempt(
        "more than the activity",
        lambda w: as_monitor(w, {"status": {"activity": ACTIVITY, "approvals": "2/2"}}, STATUS),
        NOTHING_ELSE,
    ),
    Attempt(
        "a field removed",
        lambda w: as_monitor(w, {"status": {"approvals": None}}, STATUS, name=counted(w)),
        NOTHING_ELSE,
    ),
    Attempt(
        "a label",
        lambda w: as_monitor(w, {"metadata": {"labels": {"curfew.dev/closed": "true"}}}),
        (NOTHING_ELSE, "by Curfew alone"),
    ),
    Attempt("a label of anybody's", lambda w: as_monitor(w, {"metadata": {"labels": {"team": "x"}}}), NOTHING_ELSE),
    # More than one policy refuses these, and the API server chooses which one answers.
    Attempt("the spec", lambda w: as_monitor(w, {"spec": {"duration": "4h"}}), (NOTHING_ELSE, "immutable")),
    Attempt(
        "a request of its own",
        lambda w: w.create(w.request(MONITOR, MONITOR), MONITOR, MASTERS),
        (NOTHING_ELSE, "only people may hold"),
    ),
    Attempt(
        "a deletion",
        lambda w: w.cluster.api.ask("DELETE", w.path("accessrequest", assessed(w)), user=MONITOR, groups=MASTERS),
        NOTHING_ELSE,
    ),
]


@pytest.mark.parametrize("attempt", WRITING, ids=str)
def test_the_activity_is_written_by_the_monitor_alone(world: World, attempt: Attempt) -> None:
    attempt.judge(world)


@pytest.mark.parametrize("attempt", STRAYING, ids=str)
def test_the_monitor_changes_nothing_else(world: World, attempt: Attempt) -> None:
    attempt.judge(world)


def test_what_changed_is_listed_for_those_who_look_wide(world: World) -> None:
    name = assessed(world)

    header, line = world.kubectl(ALICE, "get", "accessrequest", name, "--output=wide").stdout.splitlines()
    described = world.kubectl(ALICE, "describe", "accessrequest", name).stdout

    column = header.index("CHANGES")
    assert line[column:].split()[0] == "No"
    assert "CHANGES" not in world.kubectl(ALICE, "get", "accessrequest", name).stdout
    assert "read 3 objects" in described


def test_the_operators_patch_of_a_status_leaves_the_activity_alone(world: World) -> None:
    name = assessed(world)

    world.status(name, phase="Expired", endedAt="2030-01-01T00:00:00Z", activeUntil=None)

    stored = json.loads(succeed(world.cluster.api.ask("GET", world.path("accessrequest", name))))["status"]
    assert stored["activity"]["summary"] == ACTIVITY["summary"]
    assert stored["phase"] == "Expired"
