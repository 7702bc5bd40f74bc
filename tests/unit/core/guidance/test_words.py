"""What people are told: rules in words, what a request waits for, its story, what changed, and what to do next."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.api.times import format_time
from curfew.core.guidance import rules as rule_words
from curfew.core.guidance.approvers import approvers, bound
from curfew.core.guidance.changes import changes
from curfew.core.guidance.decisions import POSSIBLE, not_now, patch
from curfew.core.guidance.next_steps import AFTER_END, command, next_step, why_refused
from curfew.core.guidance.objects import OPEN_PHASES, ShownRequest, read_request
from curfew.core.guidance.story import story
from curfew.core.guidance.waiting import due, in_order, waits_for
from curfew.core.reasons import Reason
from tests.support.builders import ALICE, BOB, CAROL, NOON, a_decision, a_request

STAGES = {"stages": [{"name": "owners"}, {"name": "security"}], "digest": "d"}


def seen(phase: str = "Pending", *, name: str = "inc-1", uid: str = "u-1", **status: Any) -> ShownRequest:
    body = a_request(name)
    body["metadata"]["uid"] = uid
    body["status"] = {"phase": phase, "approvals": "0/1", **status}
    return read_request(body)


def counted(*stages: str) -> dict[str, Any]:
    by = [f"{stage}@example.com" for stage in stages]
    return {
        "decisions": [a_decision(who, stage=stage) for who, stage in zip(by, stages, strict=True)],
        "reviews": [{"by": who, "decision": "Approve", "effect": "Counted", "seenAt": format_time(NOON)} for who in by],
    }


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods", "pods/log"]},
            "read pods, pods/log",
        ),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"]}, "create pods/exec"),
        (
            {"verbs": ["get", "watch", "list", "patch", "delete"], "apiGroups": ["apps"], "resources": ["deployments"]},
            "read, patch and delete deployments.apps",
        ),
        (
            {"verbs": ["patch"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["worker"]},
            "patch configmaps, only worker",
        ),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, "do anything with every resource"),
    ],
)
def test_a_rule_in_words(rule: dict[str, Any], words: str) -> None:
    assert list(rule_words.in_words([rule])) == [words]


def test_a_role_binding_grants_no_urls_and_a_long_role_is_cut() -> None:
    url = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    many = [{"verbs": ["get"], "apiGroups": [""], "resources": [f"r{number}"]} for number in range(23)]

    assert list(rule_words.in_words([url, {"verbs": 7}])) == []
    assert list(rule_words.in_words(many))[-1] == "and 3 more rules: read them with kubectl describe"
    (wide,) = rule_words.in_words([{"verbs": ["get"], "apiGroups": [""], "resources": [str(one) for one in range(40)]}])
    assert wide.endswith("and 28 more")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (seen(""), "Curfew, which has not looked at it yet"),
        (seen(), "1 approval"),
        (seen(approvals="0/2", terms=STAGES), "2 approvals (owners, security)"),
        (seen(approvals="1/2", terms=STAGES, **counted("owners")), "1 more approval (security)"),
        (seen(approvals="0/2", terms=STAGES, decisions=[a_decision(stage="owners")]), "2 approvals (owners, security)"),
        (
            seen("Approved", conditions=[{"type": "Active", "message": "the grant waits: no bucket"}]),
            "no bucket",
        ),
        (seen("Active"), ""),
        (seen("Active", reviewBy="2026-11-24T12:00:00Z"), "a review: the glass was broken"),
        (seen("Denied"), ""),
        (seen("Sleeping"), ""),
    ],
)
def test_what_it_waits_for(request_: ShownRequest, words: str) -> None:
    assert waits_for(request_) == words


def test_when_comes_next() -> None:
    later = format_time(NOON + timedelta(minutes=42))

    assert due(seen(decideBy=later), NOON) == "to decide in 42 min, 12:42 UTC"
    assert due(seen("Active", expiresAt=later), NOON) == "ends in 42 min, 12:42 UTC"
    assert due(seen("Denied", endedAt=format_time(NOON)), NOON + timedelta(hours=2)) == "ended 2 h ago, 12:00 UTC"
    assert due(seen(""), NOON + timedelta(minutes=5)) == "asked 5 min ago, 12:00 UTC"


def test_open_ones_come_first_and_then_the_last_to_end() -> None:
    early, late = (
        seen("Denied", name=name, endedAt=format_time(at)) for name, at in (("a", NOON), ("b", NOON.replace(hour=13)))
    )
    waiting, over = in_order([early, late, seen(name="c")])

    assert [one.name for one in waiting] == ["c"]
    assert [one.name for one in over] == ["b", "a"]


def test_its_story() -> None:
    request = seen(
        "Expired",
        grantedAt=format_time(NOON + timedelta(minutes=2)),
        endedAt=format_time(NOON + timedelta(hours=1)),
        endReason="DurationElapsed",
        terms={"role": {"kind": "ClusterRole", "name": "view"}},
        decisions=[a_decision(stage="owners", reason="on call"), a_decision(CAROL)],
        reviews=[
            {"by": BOB, "decision": "Approve", "effect": "Counted", "seenAt": format_time(NOON + timedelta(minutes=1))},
            {
                "by": CAROL,
                "decision": "Approve",
                "effect": "TooLate",
                "seenAt": format_time(NOON + timedelta(minutes=3)),
            },
        ],
    )

    assert [what for _, what in story(request)] == [
        f"{ALICE} asked",
        f"{BOB} approved it for stage owners: on call",
        f"{ALICE} got ClusterRole view",
        f"{CAROL} approved it (came too late)",
        "Expired (DurationElapsed)",
    ]


def test_each_change_is_one_line() -> None:
    def changed(before: ShownRequest | None, after: ShownRequest) -> list[str]:
        return list(changes(before, after, NOON))

    new, pending = seen(""), seen()
    active = seen("Active", decisions=[a_decision()], expiresAt=format_time(NOON + timedelta(hours=1)))
    over = seen("Revoked", decisions=[a_decision()], endReason="RevokedByApprover")

    assert changed(None, new) == [f"{ALICE} asks for debug for 1h: payment workers crash-loop"]
    assert changed(new, pending) == ["Pending: waits for 1 approval"]
    assert changed(pending, pending) == []
    assert changed(pending, active) == [f"{BOB} approved it", f"Active: {ALICE} has the access, ends in 1 h, 13:00 UTC"]
    assert changed(active, over) == ["Revoked (RevokedByApprover)"]
    assert changed(None, over) == []
    assert changed(over, seen(uid="u-2"))[0].startswith(f"{ALICE} asks for")


def test_each_word_for_an_end_has_a_next_step() -> None:
    assert set(AFTER_END) == {str(reason) for reason in Reason}
    assert all(next_step(seen("Failed", endReason=word)) == step for word, step in AFTER_END.items())
    assert all(next_step(seen(phase)) for phase in OPEN_PHASES)


def test_a_name_in_a_command_cannot_be_another_command() -> None:
    assert command("show", seen(name="x; rm -rf /")) == "kubectl curfew show 'x; rm -rf /' -n payments"


@pytest.mark.parametrize(
    ("complaint", "told"),
    [
        (
            "The accessrequests \"x\" is invalid: : ValidatingAdmissionPolicy 'p' with binding 'p' denied request: you cannot",
            "you cannot",
        ),
        ('error: the server doesn\'t have a resource type "accessrequests"', "Curfew is not installed in this cluster"),
        (
            'accessrequests.curfew.dev is forbidden: User "x" cannot list resource "accessrequests" in the namespace "shop"',
            "you have no right to list accessrequests in namespace shop; examples/role.yaml",
        ),
        (
            'Error from server (NotFound): accessrequests.curfew.dev "x" not found',
            "kubectl curfew list shows the requests",
        ),
        ("Error from server (Forbidden): unknown", "with --as, you may not act as that person"),
        ("something else", "something else"),
    ],
)
def test_what_was_refused(complaint: str, told: str) -> None:
    assert told in why_refused(complaint)


def test_a_decision_tests_the_request_that_was_shown() -> None:
    request = seen(terms=STAGES)

    assert patch(request, BOB, "Approve", stage="owners", reason="on call") == [
        {"op": "test", "path": "/metadata/uid", "value": "u-1"},
        {"op": "test", "path": "/status/terms/digest", "value": "d"},
        {
            "op": "add",
            "path": "/status/decisions/-",
            "value": {"by": BOB, "decision": "Approve", "stage": "owners", "reason": "on call"},
        },
    ]
    assert [one["op"] for one in patch(request, BOB, "Deny")] == ["test", "add"]


def test_when_a_decision_is_possible() -> None:
    for decision, phases in POSSIBLE.items():
        for phase in (*OPEN_PHASES, "Denied", "Expired"):
            assert (not_now(seen(phase), decision) == "") == (phase in phases)
    assert not_now(seen("Active"), "Deny") == "it is Active; revoke it instead"
    assert not_now(seen("Failed", endReason="Locked"), "Approve") == "it is over: Failed (Locked)"


def test_who_can_approve_is_what_rbac_lets() -> None:
    def role(name: str, *rules: dict[str, Any], kind: str = "Role") -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": name}, "rules": list(rules)}

    def binding(role: str, *subjects: tuple[str, str], kind: str = "Role") -> dict[str, Any]:
        return {
            "roleRef": {"kind": kind, "name": role},
            "subjects": [{"kind": kind_, "name": name} for kind_, name in subjects],
        }

    def rule(resource: str, *names: str, verb: str = "approve") -> dict[str, Any]:
        return {"verbs": [verb], "apiGroups": ["curfew.dev"], "resources": [resource], "resourceNames": list(names)}

    roles = [
        role("owners", rule("accesspolicies/owners")),
        role("one", rule("accesspolicies", "debug")),
        role("other", rule("accesspolicies", "elsewhere")),
        role("asks", rule("accesspolicies", verb="request")),
        role("admin", {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, kind="ClusterRole"),
    ]
    found = bound(
        [
            binding("owners", ("User", BOB)),
            binding("one", ("User", CAROL), ("ServiceAccount", "bot")),
            binding("other", ("User", "eve")),
            binding("asks", ("User", ALICE)),
            binding("admin", ("Group", "sre"), ("User", "system:kube-scheduler"), kind="ClusterRole"),
            binding("gone", ("User", "nobody")),
        ],
        roles,
    )

    assert approvers(found, "debug", "owners") == (BOB, "group sre")
    assert approvers(found, "debug", "") == (CAROL, "group sre")
    assert approvers((), "debug", "") == ()
