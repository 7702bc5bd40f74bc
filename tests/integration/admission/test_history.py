"""History is not rewritten, not even by the operator with all rights there are."""

from collections.abc import Mapping

import pytest

from curfew.api.access_request import Phase
from curfew.api.phases import PHASE_CHANGES
from tests.integration.admission.asking import Attempt, World, succeed
from tests.integration.installed import MASTERS, OPERATOR

DIGEST = "0" * 64
TERMS = {
    "digest": DIGEST,
    "policy": {"name": "debug", "uid": "p", "generation": 1},
    "role": {"kind": "ClusterRole", "name": "view", "uid": "r", "rulesDigest": DIGEST},
}
REVIEW = {"by": "bob@example.com", "decision": "Approve", "seenAt": "2026-01-01T00:00:00Z", "effect": "Counted"}


def with_status(world: World, **fields: object) -> str:
    """Have a pending request with more in its status, and return its name."""
    name = world.pending()
    world.status(name, **fields)
    return name


def refused(world: World) -> str:
    """Have a request that is refused and counted with others, and return its name."""
    name = world.asked()
    world.status(name, phase="Failed", countedIn="2026-01-01T00:00:00Z", countedWithOthers=True)
    return name


ATTEMPTS = [
    Attempt(
        "phase back to Pending", lambda w: w.write_status(w.active(), {"phase": "Pending"}), "phase cannot be rewound"
    ),
    Attempt("phase removed", lambda w: w.write_status(w.active(), {"phase": None}), "phase cannot be rewound"),
    Attempt(
        "expiry later", lambda w: w.write_status(w.active(), {"expiresAt": "2031-01-01T00:00:00Z"}), "never be extended"
    ),
    Attempt(
        # As text it sorts before; it is a comparison of instants.
        "expiry later in another zone",
        lambda w: w.write_status(w.active(), {"expiresAt": "2029-12-31T23:30:00-01:00"}),
        "never be extended",
    ),
    Attempt("expiry removed", lambda w: w.write_status(w.active(), {"expiresAt": None}), "cannot be removed"),
    Attempt("expiry earlier", lambda w: w.write_status(w.active(), {"expiresAt": "2029-01-01T00:00:00Z"})),
    Attempt(
        "active without an end", lambda w: w.write_status(w.pending(), {"phase": "Active"}), "Active needs expiresAt"
    ),
    # The schema's default puts an empty one in its place.
    Attempt("status removed", lambda w: w.write_status(w.active(), None), "cannot be removed"),
    Attempt(
        "time of the grant removed",
        lambda w: w.write_status(w.active(), {"grantedAt": None}),
        "cannot be removed",
    ),
    Attempt(
        "time of the grant changed",
        lambda w: w.write_status(w.active(), {"grantedAt": "2029-01-01T00:00:01Z"}),
        "grantedAt cannot be changed",
    ),
    Attempt(
        "time of the end removed",
        lambda w: w.write_status(with_status(w, phase="Denied", endedAt="2026-01-01T00:00:00Z"), {"endedAt": None}),
        "cannot be removed",
    ),
    Attempt(
        "start removed",
        lambda w: w.write_status(with_status(w, startsAt="2026-01-01T00:00:00Z"), {"startsAt": None}),
        "cannot be removed",
    ),
    Attempt(
        "deadline removed",
        lambda w: w.write_status(with_status(w, decideBy="2026-01-01T00:00:00Z"), {"decideBy": None}),
        "cannot be removed",
    ),
    Attempt(
        "reason of the end removed",
        lambda w: w.write_status(with_status(w, phase="Denied", endReason="Denied"), {"endReason": None}),
        "cannot be removed",
    ),
    Attempt("terms pinned", lambda w: w.write_status(w.pending(), {"terms": TERMS})),
    Attempt(
        "terms changed",
        lambda w: w.write_status(with_status(w, terms=TERMS), {"terms": {"role": {"name": "cluster-admin"}}}),
        "terms are pinned once and never changed",
    ),
    Attempt(
        "terms removed",
        lambda w: w.write_status(with_status(w, terms=TERMS), {"terms": None}),
        "terms are pinned once and never changed",
    ),
    Attempt(
        "a review with another effect",
        lambda w: w.write_status(with_status(w, reviews=[REVIEW]), {"reviews": [{**REVIEW, "effect": "TooLate"}]}),
    ),
    Attempt(
        "a review at another time",
        lambda w: w.write_status(
            with_status(w, reviews=[REVIEW]), {"reviews": [{**REVIEW, "seenAt": "2025-01-01T00:00:00Z"}]}
        ),
        "keeps its place and its time",
    ),
    Attempt(
        "a review removed",
        lambda w: w.write_status(with_status(w, reviews=[REVIEW]), {"reviews": []}),
        "keeps its place and its time",
    ),
    Attempt(
        "all reviews removed",
        lambda w: w.write_status(with_status(w, reviews=[REVIEW]), {"reviews": None}),
        "keeps its place and its time",
    ),
    Attempt(
        "the hour of a refusal changed",
        lambda w: w.write_status(refused(w), {"countedIn": "2026-01-01T01:00:00Z"}),
        "countedIn cannot be changed",
    ),
    Attempt(
        "the hour of a refusal removed",
        lambda w: w.write_status(refused(w), {"countedIn": None}),
        "counted when it is refused, or never",
    ),
    Attempt(
        "whom a refusal is counted with changed",
        lambda w: w.write_status(refused(w), {"countedWithOthers": False}),
        "countedWithOthers cannot be changed",
    ),
    Attempt(
        "whom a refusal is counted with removed",
        lambda w: w.write_status(refused(w), {"countedWithOthers": None}),
        "counted when it is refused, or never",
    ),
    Attempt(
        "a refusal counted afterwards",
        lambda w: w.write_status(with_status(w, phase="Failed"), {"countedIn": "2026-01-01T00:00:00Z"}),
        "counted when it is refused, or never",
    ),
    Attempt(
        "records in the outbox, and out again",
        lambda w: w.write_status(with_status(w, outbox=[{"record": "{}", "seal": "00"}]), {"outbox": []}),
    ),
    Attempt(
        "more records than the outbox holds",
        lambda w: w.write_status(w.pending(), {"outbox": [{"record": str(number)} for number in range(65)]}),
        "Too many",
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_history(world: World, attempt: Attempt) -> None:
    """The operator writes the status."""
    attempt.judge(world)


HOW_TO_BE: Mapping[Phase | None, tuple[Phase, ...]] = {
    None: (),
    Phase.PENDING: (Phase.PENDING,),
    Phase.APPROVED: (Phase.PENDING, Phase.APPROVED),
    Phase.ACTIVE: (Phase.PENDING, Phase.ACTIVE),
    Phase.DENIED: (Phase.PENDING, Phase.DENIED),
    Phase.TIMED_OUT: (Phase.PENDING, Phase.TIMED_OUT),
    Phase.CANCELLED: (Phase.PENDING, Phase.CANCELLED),
    Phase.EXPIRED: (Phase.PENDING, Phase.ACTIVE, Phase.EXPIRED),
    Phase.REVOKED: (Phase.PENDING, Phase.ACTIVE, Phase.REVOKED),
    Phase.FAILED: (Phase.FAILED,),
}


@pytest.mark.parametrize("start", HOW_TO_BE, ids=lambda phase: f"from {phase or 'the beginning'}")
def test_the_api_server_keeps_to_the_table_of_phases(world: World, start: Phase | None) -> None:
    """From each phase exactly those follow that the table says."""
    name = world.asked()
    for phase in HOW_TO_BE[start]:
        world.status(name, phase=phase, expiresAt="2030-01-01T00:00:00Z")

    allowed = set()
    for phase in Phase:
        body = {"status": {"phase": phase, "expiresAt": "2030-01-01T00:00:00Z"}}
        done = world.merge(name, body, OPERATOR, MASTERS, "--subresource=status", "--dry-run=server")
        if done.returncode == 0:
            allowed.add(phase)
        else:
            assert ("phase cannot be rewound" if start else "a request begins as Pending or Failed") in done.stderr

    assert allowed == PHASE_CHANGES[start] | ({start} if start else set())


def test_requests_can_be_selected_by_who_what_and_phase(world: World) -> None:
    """As kubectl users and dashboards do."""
    name = world.active()

    found = succeed(
        world.kubectl(
            OPERATOR,
            "get",
            "areq",
            "--field-selector=spec.requester=alice@example.com,spec.policyName=debug,status.phase=Active",
            "--output=name",
            groups=MASTERS,
        )
    )

    assert f"accessrequest.curfew.dev/{name}" in found.split()
