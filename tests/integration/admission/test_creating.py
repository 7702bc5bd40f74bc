"""Who asks is who the API server authenticated, and a request is well-formed before anybody sees it."""

import pytest

from tests.integration.admission.asking import (
    ALICE,
    BOB,
    CAROL,
    GIT,
    ROOT,
    Attempt,
    World,
    changed,
    in_hours,
    succeed,
    with_meta,
)
from tests.integration.installed import MASTERS
from tools.servers.pki import ADMIN

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}


def asked_with_status(world: World) -> str:
    """Have alice create a request with a status, and return the status that was stored."""
    manifest = changed(world.request(ALICE, ALICE), status={"phase": "Active"})
    succeed(world.create(manifest, ALICE))
    return succeed(
        world.kubectl(ALICE, "get", "accessrequest", manifest["metadata"]["name"], "--output=jsonpath={.status}")
    )


ATTEMPTS = [
    Attempt("own name by hand", lambda w: w.create(w.request(ALICE, ALICE), ALICE)),
    Attempt("for somebody else", lambda w: w.create(w.request(CAROL, ALICE), ALICE), "spec.requester must be alice"),
    Attempt(
        "no verb request", lambda w: w.create(w.request(CAROL, CAROL), CAROL), "verb request on accesspolicies/debug"
    ),
    Attempt(
        "another policy than allowed",
        lambda w: w.create(w.request(ALICE, ALICE, policyName="root"), ALICE),
        "verb request on accesspolicies/root",
    ),
    Attempt("GitOps controller on behalf", lambda w: w.create(w.request(ALICE, GIT), GIT)),
    Attempt(
        "on behalf of a service account",
        lambda w: w.create(w.request("system:serviceaccount:x:y", GIT), GIT),
        "only people may hold a grant",
    ),
    Attempt(
        "with a finalizer",
        lambda w: w.create(w.request(ALICE, ALICE, meta={"finalizers": ["x.example.com/stay"]}), ALICE),
        "without finalizers",
    ),
    Attempt(
        "with an owner",
        lambda w: w.create(w.request(ALICE, ALICE, meta={"ownerReferences": [OWNER]}), ALICE),
        "without finalizers and ownerReferences",
    ),
    Attempt(
        "duration over a day",
        lambda w: w.create(w.request(ALICE, ALICE, duration="745h"), ALICE),
        "duration must be between 1m and 744h",
    ),
    Attempt(
        "duration too short",
        lambda w: w.create(w.request(ALICE, ALICE, duration="59s"), ALICE),
        "duration must be between 1m and 744h",
    ),
    Attempt(
        "duration negative",
        lambda w: w.create(w.request(ALICE, ALICE, duration="-1h"), ALICE),
        "duration must be a duration in whole hours",
    ),
    Attempt(
        "duration junk",
        lambda w: w.create(w.request(ALICE, ALICE, duration="soon"), ALICE),
        "duration must be a duration in whole hours",
    ),
    Attempt(
        "duration empty",
        lambda w: w.create(w.request(ALICE, ALICE, duration=""), ALICE),
        "duration must be a duration in whole hours",
    ),
    Attempt(
        "duration with a fraction",
        lambda w: w.create(w.request(ALICE, ALICE, duration="1.5h"), ALICE),
        "duration must be a duration in whole hours",
    ),
    Attempt(
        "duration of more hours than there are",
        lambda w: w.create(w.request(ALICE, ALICE, duration="9999h99999m"), ALICE),
        "duration must be between 1m and 744h",
    ),
    Attempt("duration of a day", lambda w: w.create(w.request(ALICE, ALICE, duration="24h"), ALICE)),
    Attempt("duration in seconds", lambda w: w.create(w.request(ALICE, ALICE, duration="90s"), ALICE)),
    Attempt("empty reason", lambda w: w.create(w.request(ALICE, ALICE, reason=""), ALICE), "spec.reason"),
    Attempt("unknown field", lambda w: w.create(w.request(ALICE, ALICE, role="cluster-admin"), ALICE), "unknown field"),
    Attempt(
        "start that is no time",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="tonight"), ALICE),
        "spec.notBefore",
    ),
    Attempt(
        "start without a zone",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="2026-11-23T20:00:00"), ALICE),
        "spec.notBefore",
    ),
    Attempt(
        "start with a comma",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="2030-01-01T00:00:00,5Z"), ALICE),
        "spec.notBefore in body should match",
    ),
    Attempt(
        "start a day east of Greenwich",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="2030-01-01T00:00:00+24:00"), ALICE),
        "spec.notBefore in body should match",
    ),
    Attempt(
        "start on a day that is not",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="2030-02-30T00:00:00Z"), ALICE),
        "spec.notBefore",
    ),
    Attempt(
        "start at the end of all calendars",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore="9999-12-31T23:59:59-23:00"), ALICE),
        "notBefore must be a time between the years 2020 and 2100",
    ),
    Attempt(
        "end before the start",
        lambda w: w.create(
            w.request(ALICE, ALICE, notBefore="2030-01-01T20:00:00Z", notAfter="2030-01-01T20:00:00Z"), ALICE
        ),
        "notAfter must be after notBefore",
    ),
    Attempt(
        "end after the start",
        lambda w: w.create(
            w.request(ALICE, ALICE, notBefore=in_hours(1), notAfter=in_hours(2).replace("Z", "+00:00")), ALICE
        ),
    ),
    Attempt(
        "start in the evening",
        lambda w: w.create(w.request(ALICE, ALICE, notBefore=in_hours(20).replace("Z", "+00:00")), ALICE),
    ),
    Attempt(
        "name too long for a label",
        lambda w: w.create(with_meta(w.request(ALICE, ALICE), name="a" * 64), ALICE),
        "metadata.name must be at most 63 characters",
    ),
    Attempt(
        "already labelled closed",
        lambda w: w.create(w.request(ALICE, ALICE, meta={"labels": {"curfew.dev/closed": "true"}}), ALICE),
        "written by Curfew alone",
    ),
    Attempt(
        "already labelled closed, by a cluster admin",
        lambda w: w.create(w.request(ADMIN, ADMIN, meta={"labels": {"curfew.dev/closed": "true"}}), ADMIN),
        "written by Curfew alone",
    ),
    Attempt(
        "with an annotation of ours",
        lambda w: w.create(w.request(ALICE, ALICE, meta={"annotations": {"curfew.dev/receipt": "x"}}), ALICE),
        "written by Curfew alone",
    ),
    Attempt(
        "with labels and annotations of one's own",
        lambda w: w.create(
            w.request(ALICE, ALICE, meta={"labels": {"team": "pay"}, "annotations": {"x.curfew.dev/y": "z"}}), ALICE
        ),
    ),
    Attempt(
        "by a cluster admin for somebody else, who may do everything",
        lambda w: w.create(w.request(ALICE, ROOT), ROOT, MASTERS),
    ),
]

STAMPED = [
    Attempt("requester is stamped", lambda w: w.create(w.request(), ALICE)),
    Attempt("forged submittedBy is overwritten", lambda w: w.create(w.request(ALICE, BOB), ALICE)),
    Attempt("requester is stamped, no verb request", lambda w: w.create(w.request(), CAROL), "verb request on"),
    Attempt("no spec at all", lambda w: w.create(changed(w.request(), spec=None), ALICE), "spec"),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_creating(world: World, attempt: Attempt) -> None:
    """Somebody creates an AccessRequest."""
    attempt.judge(world)


@pytest.mark.stamping
@pytest.mark.parametrize("attempt", STAMPED, ids=str)
def test_creating_where_who_asks_is_filled_in(world: World, attempt: Attempt) -> None:
    """Somebody creates an AccessRequest and leaves it to the API server to say who."""
    if not world.cluster.stamps_identity:
        pytest.skip("this API server does not serve MutatingAdmissionPolicy v1")
    attempt.judge(world)


@pytest.mark.stamping
def test_who_asks_is_filled_in_with_the_caller(world: World) -> None:
    """Whatever they wrote of who submits, the caller it is."""
    if not world.cluster.stamps_identity:
        pytest.skip("this API server does not serve MutatingAdmissionPolicy v1")
    manifest = world.request(by=BOB)

    succeed(world.create(manifest, ALICE))

    name = manifest["metadata"]["name"]
    people = "--output=jsonpath={.spec.requester} {.spec.submittedBy}"
    assert succeed(world.kubectl(ALICE, "get", "accessrequest", name, people)) == f"{ALICE} {ALICE}"


def test_a_status_given_at_creation_is_dropped(world: World) -> None:
    """Nobody is granted anything by writing so."""
    assert asked_with_status(world) == '{"decisions":[]}'
