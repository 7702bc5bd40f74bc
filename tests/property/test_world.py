"""Random people doing random things, and the promises checked after each step against a model of a few lines.

The model knows only what people did and when; it does not know how Curfew works. A test of the test plants a bug in a rule
and demands that it is found.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from curfew.api.times import format_time, parse_duration, parse_time
from curfew.core import approval, bindings, checks, ending, granting, outbox, plan, policy_records, role_changes, steps
from curfew.core.facts import EnforcementState, Facts, Intent
from tests.support.builders import ALICE, BOB, CAROL, DAVE, NOON, a_lock, a_policy, a_request, a_role
from tests.support.scale import times
from tests.support.stage import Stage

FINAL = {"Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed"}
PEOPLE = (ALICE, BOB, CAROL, DAVE)
RULES = tuple([{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}] for verbs in (["get"], ["get", "list"]))
POLICIES: dict[str, dict[str, Any]] = {
    "one": {"approval": {"mode": "Review", "count": 1}},
    "two": {"approval": {"mode": "Review", "stages": [{"name": "a", "count": 1}, {"name": "b", "count": 1}]}},
    "auto": {"approval": {"mode": "Automatic"}},
}
NEEDED = {"one": 1, "two": 2, "auto": 0}
DURATIONS = ("10m", "1h", "2h")


class World(RuleBasedStateMachine):
    """The stage, and what the model knows of it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage(policy=a_policy("one", **POLICIES["one"], decideWithin="30m"))
        for name in ("two", "auto"):
            self.stage.cluster.apply(a_policy(name, **POLICIES[name], decideWithin="30m"))
        self.count = 0
        self.asked: dict[str, dict[str, Any]] = {}  # name: who, what, how long, and what was in force then
        self.asked_as: dict[str, str] = {}  # name of the binding: name of the request
        self.decided: dict[str, list[tuple[str, str, datetime]]] = {}
        self.before: dict[str, dict[str, Any]] = {}  # each status as it last was
        self.made = 0  # how many of the bindings that were ever made were looked at
        self.terms = 0  # which of RULES the role has
        self.locked: dict[str, tuple[str, datetime | None]] = {}  # name: whom, and until when
        self.versions = dict.fromkeys(POLICIES, 0)  # grows with each edit of a policy
        self.settle()

    def teardown(self) -> None:
        """Close the loop."""
        self.loop.close()

    def settle(self) -> None:
        """Let Curfew do what there is to do at this instant."""
        self.loop.run_until_complete(self.stage.settle())

    def names(self, *phases: str) -> list[str]:
        """Return the requests that are there, in these phases if any are named."""
        found = {body["metadata"]["name"]: body.get("status", {}) for body in self.stage.cluster.all("AccessRequest")}
        return sorted(name for name, status in found.items() if not phases or status.get("phase") in phases)

    # --- what people do ----------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(PEOPLE), what=st.sampled_from(sorted(POLICIES)), duration=st.sampled_from(DURATIONS))
    def ask(self, who: str, what: str, duration: str) -> None:
        """Somebody applies a request."""
        self.count += 1
        name = f"r{self.count}"
        body = a_request(
            name, created=self.stage.clock.now(), requester=who, submittedBy=who, policyName=what, duration=duration
        )
        self.asked[name] = {
            "who": who,
            "what": what,
            "duration": parse_duration(duration),
            "terms": (self.terms, self.versions[what]),
            "at": self.stage.clock.now(),
        }
        self.decided[name] = []
        uid = self.stage.cluster.apply(body)["metadata"]["uid"]
        self.asked_as[f"curfew-{uid}"] = name
        self.settle()

    @rule(
        data=st.data(),
        who=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["Approve"] * 4 + ["Deny", "Revoke", "Cancel"]),
    )
    def decide(self, data: st.DataObject, who: str, kind: str) -> None:
        """Somebody adds a decision, and once in a while an approval of their own request."""
        names = self.names("Pending") if kind in ("Approve", "Deny") else self.names("Pending", "Approved", "Active")
        if not names:
            return
        self.decide_on(data.draw(st.sampled_from(names)), who, kind, data)

    @rule(data=st.data(), who=st.sampled_from(PEOPLE))
    def ask_and_approve(self, data: st.DataObject, who: str) -> None:
        """Somebody asks, and approves it themselves."""
        self.ask(who, "one", "1h")
        self.decide_on(f"r{self.count}", who, "Approve", data)

    def decide_on(self, name: str, who: str, kind: str, data: st.DataObject) -> None:
        """Add a decision to a request, unless the API server would refuse it."""
        status = self.stage.cluster.status(name)
        if status["phase"] in FINAL or any((d["by"], d["decision"]) == (who, kind) for d in status["decisions"]):
            return
        if kind == "Cancel" and who != self.asked[name]["who"]:
            return
        if kind == "Revoke" and status["phase"] == "Pending":
            return
        decision = {"by": who, "decision": kind}
        if self.asked[name]["what"] == "two" and kind == "Approve":
            stage = data.draw(st.sampled_from(["a", "b", ""]))
            decision |= {"stage": stage} if stage else {}
        self.decided[name].append((who, kind, self.stage.clock.now()))
        self.stage.cluster.decide(name, decision)
        self.settle()

    @rule(minutes=st.sampled_from([1, 5, 10, 29, 61]))
    def let_time_pass(self, minutes: int) -> None:
        """Nobody does anything."""
        self.loop.run_until_complete(self.stage.pass_time(minutes=minutes))
        self.settle()

    @rule(minutes=st.sampled_from([5, 31, 121]))
    def look_away(self, minutes: int) -> None:
        """Curfew is down for a while, and starts anew."""
        self.stage.clock.advance(minutes=minutes)
        self.stage.restart()
        self.settle()

    @rule()
    def crash(self) -> None:
        """The process dies and starts anew."""
        self.stage.restart()
        self.settle()

    @rule(what=st.sampled_from(sorted(POLICIES)))
    def edit_policy(self, what: str) -> None:
        """Somebody edits a policy."""
        self.versions[what] += 1
        hours = 3 + self.versions[what] % 2
        self.stage.cluster.apply(a_policy(what, **POLICIES[what], decideWithin="30m", maxDuration=f"{hours}h"))
        self.settle()

    @rule()
    def edit_role(self) -> None:
        """Somebody edits the role; every active grant of it ends. What is edited back is what it was."""
        self.terms = (self.terms + 1) % len(RULES)
        self.stage.cluster.apply(a_role(rules=RULES[self.terms]))
        self.settle()

    @precondition(lambda self: self.names("Pending", "Approved", "Active"))
    @rule(data=st.data())
    def delete_request(self, data: st.DataObject) -> None:
        """Somebody deletes a request."""
        name = data.draw(st.sampled_from(self.names("Pending", "Approved", "Active")))
        self.stage.cluster.delete("AccessRequest", name)
        self.before.pop(name, None)
        self.settle()

    @precondition(lambda self: self.stage.bindings())
    @rule(data=st.data())
    def delete_binding(self, data: st.DataObject) -> None:
        """Somebody deletes a binding, which is a revocation."""
        binding = data.draw(st.sampled_from([body["metadata"]["name"] for body in self.stage.bindings()]))
        self.stage.cluster.delete("RoleBinding", binding)
        self.settle()

    @precondition(lambda self: self.stage.bindings())
    @rule(data=st.data())
    def tamper(self, data: st.DataObject) -> None:
        """Somebody adds themselves to a binding."""
        binding = data.draw(st.sampled_from([body["metadata"]["name"] for body in self.stage.bindings()]))
        self.stage.cluster.edit_binding(binding, lambda b: b["subjects"].append({"kind": "User", "name": DAVE}))
        self.settle()

    @rule(is_ok=st.booleans())
    def switch_bucket(self, is_ok: bool) -> None:
        """The bucket goes away or comes back."""
        self.stage.trail.ok = is_ok
        self.wake_all()

    @precondition(lambda self: self.stage.trail.ok)
    @rule(
        who=st.sampled_from(PEOPLE),
        duration=st.sampled_from(DURATIONS),
        what=st.sampled_from(["role", "rules", "time"]),
    )
    def ask_of_a_slow_bucket(self, who: str, duration: str, what: str) -> None:
        """What is announced becomes durable only when the bucket is back, and something else has happened meanwhile."""
        self.stage.trail.flush = set  # type: ignore[method-assign]
        self.ask(who, "auto", duration)
        del self.stage.trail.flush
        self.switch_bucket(is_ok=False)
        if what == "role":
            self.edit_role()
        elif what == "rules":
            self.switch_admission(is_ok=False)
        else:
            self.let_time_pass(minutes=10)
        self.switch_bucket(is_ok=True)

    @rule(is_ok=st.booleans())
    def switch_admission(self, is_ok: bool) -> None:
        """Somebody switches our admission policies off or on."""
        reason = "Enforced" if is_ok else "NotEnforced"
        self.stage.enforcement = EnforcementState(ok=is_ok, reason=reason, message="", since=NOON)
        self.wake_all()

    @precondition(lambda self: len(self.locked) < 2)
    @rule(data=st.data(), minutes=st.sampled_from([0, 7]))
    def lock(self, data: st.DataObject, minutes: int) -> None:
        """Somebody locks a person, for a while or until it is lifted: one who holds something, if anybody does."""
        holders = sorted({self.asked[name]["who"] for name in self.names("Active")})
        who = data.draw(st.sampled_from(holders or PEOPLE))
        self.count += 1
        end = self.stage.clock.now() + timedelta(minutes=minutes) if minutes else None
        more = {"endsAt": format_time(end)} if end else {}
        body = a_lock(f"l{self.count}", created=self.stage.clock.now(), target={"person": who}, **more)
        self.locked[f"l{self.count}"] = (who, end)
        self.stage.cluster.apply(body)
        self.settle()

    @precondition(lambda self: self.locked)
    @rule(data=st.data())
    def unlock(self, data: st.DataObject) -> None:
        """Somebody lifts a lock."""
        name = data.draw(st.sampled_from(sorted(self.locked)))
        del self.locked[name]
        self.stage.cluster.delete("AccessLock", name, "")
        self.settle()

    def wake_all(self) -> None:
        """Give everything its turn, as a change of health does."""
        self.stage.look_at_all_requests()
        self.settle()

    # --- the promises ------------------------------------------------------------------------------------------------

    @invariant()
    def p1_access_ends_on_time(self) -> None:
        """No binding outlives its end, and none is longer than what was asked for."""
        for body in self.stage.bindings():
            notes = body["metadata"]["annotations"]
            ends, starts = parse_time(notes["curfew.dev/expires-at"]), parse_time(notes["curfew.dev/starts-at"])
            assert ends > self.stage.clock.now()
            assert ends - starts == self.asked[notes["curfew.dev/request"]]["duration"]

    @invariant()
    def p2_p4_p5_p8_each_binding_was_announced_agreed_to_and_is_what_was_asked(self) -> None:
        """A binding is there only when everything that has to be there is."""
        announced = {record.subject for record in self.stage.log if record.event == "grant.intended"}
        for body in self.stage.bindings():
            uid, notes = body["metadata"]["labels"]["curfew.dev/request-uid"], body["metadata"]["annotations"]
            name = notes["curfew.dev/request"]
            asked = self.asked[name]
            assert uid in announced
            assert notes["curfew.dev/receipt"]
            assert [subject["name"] for subject in body["subjects"]] == [asked["who"]]
            yes = {who for who, kind, _ in self.decided[name] if kind == "Approve" and who != asked["who"]}
            assert len(yes) >= NEEDED[asked["what"]]
            assert not any(kind in ("Deny", "Revoke", "Cancel") for _, kind, _ in self.decided[name])
            assert asked["terms"][0] == self.terms  # the role of a grant did not change

    @invariant()
    def p3_p8_whoever_is_locked_has_nothing_and_waits_for_nothing(self) -> None:
        """A lock ends and refuses everything of a person, whatever state the log and the rules are in."""
        now = self.stage.clock.now()
        locked = {who for who, end in self.locked.values() if end is None or end > now}
        assert not {name for name in self.names("Pending", "Approved", "Active") if self.asked[name]["who"] in locked}
        assert not {body["subjects"][0]["name"] for body in self.stage.bindings()} & locked

    @invariant()
    def p7_each_lock_is_in_the_log_once(self) -> None:
        """That it was made, and that it holds no more."""
        if not self.stage.trail.ok:
            return
        told = [record.event for record in self.stage.log if record.event.startswith("lock.")]
        now = self.stage.clock.now()
        held = sum(1 for _, end in self.locked.values() if end is None or end > now)
        assert told.count("lock.created") - told.count("lock.lifted") == held

    @invariant()
    def p5_p8_each_binding_is_made_of_what_was_approved_while_our_rules_are_in_force(self) -> None:
        """At the instant at which it is made, also where it ends at once."""
        for binding in self.stage.cluster.bindings_made[self.made :]:
            self.made += 1
            name = self.asked_as[binding]
            asked = self.asked[name]
            assert asked["terms"] == (self.terms, self.versions[asked["what"]])
            assert self.stage.enforcement.ok
            in_time = [who for who, kind, at in self.decided[name] if at <= asked["at"] + timedelta(minutes=30)]
            assert len({who for who in in_time if who != asked["who"]}) >= NEEDED[asked["what"]]

    @invariant()
    def p6_history_is_not_rewritten(self) -> None:
        """Final is final, decisions only grow, ends only move earlier."""
        for body in self.stage.cluster.all("AccessRequest"):
            name, status = body["metadata"]["name"], body.get("status", {})
            was = self.before.get(name, {})
            if was.get("phase") in FINAL:
                assert status["phase"] == was["phase"]
                assert status["endReason"] == was["endReason"]
            assert status.get("decisions", [])[: len(was.get("decisions", []))] == was.get("decisions", [])
            for field in ("startsAt", "grantedAt", "endedAt", "decideBy"):
                assert was.get(field) in (None, status.get(field))
            self.before[name] = status

    @invariant()
    def p7_each_record_is_there_once_and_each_story_is_closed(self) -> None:
        """Nothing twice, and when the bucket is there, nothing missing."""
        ids = [record.id for record in self.stage.log]
        assert len(ids) == len(set(ids))
        if not self.stage.trail.ok:
            return
        events: dict[str, list[str]] = {}
        for record in self.stage.log:
            events.setdefault(record.subject, []).append(record.event)
        for body in self.stage.cluster.all("AccessRequest"):
            status, told = body.get("status", {}), events.get(body["metadata"]["uid"], [])
            if status.get("phase") in FINAL:
                assert told[-1:] == ["request.closed"]
                assert status["outbox"] == []
            if status.get("phase") in ("Expired", "Revoked") and "grant" in status:
                assert "grant.activated" in told

    @invariant()
    def p7_each_version_of_a_policy_is_there_once(self) -> None:
        """When the bucket is there, the log knows what each policy says now, and told no version twice."""
        if not self.stage.trail.ok:
            return
        told: dict[str, list[int]] = {}
        for record in self.stage.log:
            if record.event.startswith("policy."):
                told.setdefault(record.subject, []).append(record.block["detail"]["generation"])
        for body in self.stage.cluster.all("AccessPolicy"):
            versions = told[body["metadata"]["uid"]]
            assert versions == sorted(set(versions))
            assert versions[-1] == body["metadata"]["generation"]

    @invariant()
    def p8_a_no_is_the_end_and_silence_too(self) -> None:
        """Whoever may say no ends a request at once; whoever is not agreed to in time has nothing."""
        refused = {
            name
            for name, said in self.decided.items()
            if any(kind in ("Deny", "Revoke", "Cancel") for _, kind, _ in said)
        }
        assert not refused & set(self.names("Pending", "Approved", "Active"))
        for name in self.names("Pending"):
            assert self.stage.clock.now() < self.asked[name]["at"] + timedelta(minutes=30)

    @invariant()
    def the_phase_is_what_the_bindings_say(self) -> None:
        """A request is Active when, and only when, its binding is there."""
        bound = {body["metadata"]["annotations"]["curfew.dev/request"] for body in self.stage.bindings()}
        assert bound == set(self.names("Active"))


STEPS = int(os.environ.get("CURFEW_WORLD_STEPS") or times(20_000))
STEPS_AN_EXAMPLE = 50

WORLD = settings(
    max_examples=max(1, STEPS // STEPS_AN_EXAMPLE),
    stateful_step_count=STEPS_AN_EXAMPLE,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def test_random_people_break_no_promise() -> None:
    """20,000 random steps (CURFEW_WORLD_STEPS) on the core, a tenth of them outside of `make soak`."""
    run_state_machine_as_test(World, settings=WORLD)


def self_approval_counts(patch: pytest.MonkeyPatch) -> None:
    """P4: the requester's own yes is a yes."""
    patch.setattr(
        approval, "_approvers", lambda request: tuple(d for d in request.status.decisions if d.decision == "Approve")
    )


def ends_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """P1: a binding past its end stays."""
    patch.setattr(ending, "why_ended", lambda facts, binding: None)


def terms_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    """P5: whatever the role allows by now is granted."""
    for rules in ("ANNOUNCEMENT", "GRANT"):
        patch.setattr(checks, rules, (checks.policy_was_deleted,))
    patch.setattr(role_changes, "role_was_changed", lambda facts: None)


def late_approvals_count(patch: pytest.MonkeyPatch) -> None:
    """P8: a yes after the time is up is a yes."""
    patch.setattr(granting, "_time_is_up", lambda facts: False)


def announced_is_enough(patch: pytest.MonkeyPatch) -> None:
    """P5, P8: what was announced is bound, whatever happened since."""

    def bind(facts: Facts, intent: Intent) -> steps.Step:
        assert intent.receipt is not None
        return steps.Step(
            act=steps.Create(
                bindings.write_binding(
                    facts.request, starts_at=intent.starts_at, expires_at=intent.expires_at, receipt=intent.receipt
                ),
                intent.expires_at,
            )
        )

    patch.setattr(granting, "_interrupted", lambda facts, intent: None)
    patch.setattr(granting, "_bind", bind)


def locks_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """P3, P8: what a lock covers goes on."""
    patch.setattr(ending, "ENDINGS", tuple(one for one in ending.ENDINGS if one.check is not ending.it_is_locked))


def refusals_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """P8: a no is no no."""
    patch.setattr(plan, "turn_down", lambda facts: None)


def records_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """P7: the outbox is emptied before its records are durable."""
    patch.setattr(outbox, "missing", lambda records, facts: ())


def policies_that_change_are_no_news(patch: pytest.MonkeyPatch) -> None:
    """P7: only that a policy came is told."""
    changed = policy_records.changed
    patch.setattr(
        policy_records,
        "changed",
        lambda policy, last, at: None if last else changed(policy, last, at=at),
    )


BUGS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    self_approval_counts,
    ends_are_forgotten,
    terms_are_not_compared,
    late_approvals_count,
    announced_is_enough,
    locks_are_ignored,
    refusals_are_ignored,
    records_are_forgotten,
    policies_that_change_are_no_news,
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: without the rule, a promise breaks, and the machine sees it."""
    bug(monkeypatch)
    looking = settings(
        WORLD, max_examples=300, phases=(Phase.generate,), database=None, derandomize=True, report_multiple_bugs=False
    )

    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(World, settings=looking)
