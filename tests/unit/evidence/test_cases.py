"""One request as its records tell of it: the order of the log decides, and each request counts once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import CURFEW, DecisionRef, Entity, Story, make_record, with_end
from curfew.evidence.account import Account
from curfew.evidence.figures import Figures
from curfew.evidence.grants import ReviewedGrant
from curfew.evidence.topics import CHANGE
from tests.support.quarter import Timed, company, tell
from tests.unit.evidence.telling import NOON, exceptions, kinds, told

BOB = "bob@example.com"
INSTANT = NOON + timedelta(microseconds=130_649)
"""An instant between two milliseconds: OCSF's `time` is cut to milliseconds, `seen_at` is not."""


def at_once(
    *, effect: str = "Counted", seen_at: timedelta = timedelta(), first: str = "review.submitted"
) -> list[Timed]:
    """Return the records of a grant that follows its last approval at once, as the operator writes them: at one instant."""
    asked = replace(company().story(NOON), duration=3600)
    decided = DecisionRef(BOB, "Approve", "owners", None, INSTANT + seen_at)
    story = replace(
        asked, decisions=(decided,), decided_at=INSTANT, starts_at=NOON, expires_at=NOON + timedelta(hours=1)
    )
    granted = replace(story, granted_at=NOON)
    ended = with_end(granted, ended_at=NOON + timedelta(hours=1), end_reason="DurationElapsed")
    records = [
        tell("request.created", NOON, asked, actor=asked.requester),
        tell("request.accepted", NOON, asked),
        tell("review.submitted", INSTANT, story, actor=BOB, decision="Approve", effect=effect, stage="owners"),
        tell("review.approved", INSTANT, story),
        tell("grant.intended", INSTANT, story),
        tell("grant.activated", INSTANT, granted),
        tell("grant.expired", NOON + timedelta(hours=1), ended),
        tell("request.closed", NOON + timedelta(hours=1), ended, phase="Expired"),
    ]
    return sorted(records, key=lambda one: (one[0], one[1].event != first)) if first != "review.submitted" else records


def the_grant(account: Account) -> ReviewedGrant:
    (grant,) = account.grants
    return grant


@pytest.mark.parametrize("moved", [timedelta(0), timedelta(milliseconds=15), timedelta(hours=1)], ids=str)
def test_an_approval_counts_whatever_the_clocks_say(moved: timedelta) -> None:
    """What its own record stands before in the log, it came before."""
    account = told(at_once(seen_at=moved))

    assert the_grant(account).approvers == (BOB,)
    assert Figures(account, ()).approvers == 1
    assert kinds(account) == []


def test_an_approval_that_is_recorded_after_the_announcement_does_not_count() -> None:
    account = told(at_once(first="grant.intended"))

    assert the_grant(account).approvers == ()
    (found,) = exceptions(account)
    assert (str(found.kind), found.what) == (
        "unapproved",
        f"Granted with no approval but by {BOB} (recorded after the announcement)",
    )


def test_an_approval_that_did_not_count_is_none() -> None:
    account = told(at_once(effect="UnknownStage"))

    assert the_grant(account).approvers == ()
    assert set(kinds(account)) == {"unapproved", "decision-refused"}


def test_of_a_log_that_begins_after_the_approval_the_announcement_shows_it() -> None:
    announced = [one for one in at_once() if one[1].event not in ("request.created", "review.submitted")]

    assert the_grant(told(announced)).approvers == (BOB,)


def test_a_decision_without_a_record_of_its_own_is_none_in_a_log_that_has_the_whole_story() -> None:
    silent = [one for one in at_once() if one[1].event != "review.submitted"]

    assert the_grant(told(silent)).approvers == ()


def deleted(*, was_granted: bool) -> list[Timed]:
    """Return the records of a request that was deleted; the last one has no phase."""
    records = at_once()[: 6 if was_granted else 2]
    story = with_end(Story.of(records[-1][1]), ended_at=NOON + timedelta(minutes=1), end_reason="RequestDeleted")
    events = ["request.deleted", *(["grant.revoked"] if was_granted else []), "request.closed"]
    return [*records, *(tell(event, NOON + timedelta(minutes=1), story) for event in events)]


@pytest.mark.parametrize("was_granted", [False, True])
def test_a_request_that_was_deleted_is_counted_once(*, was_granted: bool) -> None:
    account = told(deleted(was_granted=was_granted))

    assert account.phases == {"Deleted": 1}
    assert account.asked == 1


def probe(**more: Any) -> list[Timed]:
    """Return the records of the request that Curfew makes in its own namespace to test its admission policies."""
    account = "system:serviceaccount:curfew:curfew-probe"
    asked = Story(uid="p", namespace="curfew", request="curfew-probe", requester="curfew-probe", submitted_by=account)
    story = replace(asked, duration=60, **more)
    failed = with_end(story, ended_at=NOON, end_reason="PolicyNotFound")
    return [
        tell("request.created", NOON, story, actor=story.requester),
        tell("request.rejected", NOON, failed),
        tell("request.closed", NOON, failed, phase="Failed"),
    ]


def test_what_curfew_asks_to_test_its_policies_is_nobodys_request() -> None:
    account = told(probe())

    assert (account.asked, account.phases, account.self_tests) == (0, {}, 1)


@pytest.mark.parametrize(
    "other",
    [{"request": "inc-1"}, {"namespace": "payments"}, {"submitted_by": "alice@example.com"}],
    ids=lambda other: next(iter(other)),
)
def test_nobody_else_can_pass_for_it(other: dict[str, str]) -> None:
    account = told(probe(**other))

    assert (account.asked, account.phases, account.self_tests) == (1, {"Failed": 1}, 0)


def test_what_was_accepted_is_never_a_self_test() -> None:
    created, *rest = probe()
    accepted = tell("request.accepted", NOON, Story.of(created[1]))

    assert told([created, accepted, *rest]).phases == {"Failed": 1}


def canary(event: str, *, name: str = "curfew-canary", role: str = "curfew-probe", kind: str = "Role") -> Timed:
    """Return a record of the policy that Curfew makes in its own namespace to test its admission policies."""
    entity = Entity(f"curfew/{name}", "AccessPolicy", "c")
    spec = {"roleRef": {"kind": kind, "name": role}}
    detail = {"namespace": "curfew", "policy": name, "generation": 1, "spec": spec}
    return NOON, make_record(event, at=NOON, actor=CURFEW, message="a policy", entity=entity, detail=detail)


def changes(*records: Timed) -> list[str]:
    """Return what a report writes of changes, without what it writes of roles."""
    account = told(list(records))
    return list(CHANGE.shows(Figures(account, exceptions(account))))[:-1]


def test_the_policy_that_curfew_makes_to_test_its_own_is_nobodys_change() -> None:
    assert changes(canary("policy.created"), canary("policy.deleted")) == [
        "0 changes of policies recorded, of which 0 weakened one.",
        "Not counted: 2 records of the policy that Curfew made to test its own admission policies.",
    ]


@pytest.mark.parametrize(
    "other",
    [{"name": "debug"}, {"role": "support"}, {"kind": "ClusterRole"}],
    ids=lambda other: next(iter(other)),
)
def test_no_other_policy_passes_for_it(other: dict[str, str]) -> None:
    assert changes(canary("policy.created", **other)) == ["1 change of policies recorded, of which 0 weakened one."]


def test_a_change_of_that_policy_by_somebody_is_counted() -> None:
    assert changes(canary("policy.weakened")) == ["1 change of policies recorded, of which 1 weakened one."]
