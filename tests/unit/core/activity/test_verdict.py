"""Whether anything was changed, why that is not known, and what was done, in a sentence."""

from datetime import timedelta

import pytest

from curfew.api.activity import MOST_REASONS, Activity, Changes
from curfew.audit.record import Record
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.effect import Effect, How
from curfew.core.activity.records import coverage_lost
from curfew.core.activity.summary import summary
from curfew.core.activity.tally import SessionTally
from tests.support.activity import (
    END,
    STANDING,
    UID,
    AMonitor,
    a_call,
    announced,
    ended,
    kept,
    of_account,
    refused,
    whole,
)
from tests.support.builders import BOB, NOON

EXEC = a_call("create", "pods/web-0 (exec)", code=101, lasted=timedelta(minutes=4))
LOST = coverage_lost(
    "main-activity", since=NOON + timedelta(minutes=3), at=NOON + timedelta(minutes=5), why="no source was heard"
)


def of(*calls: Call, **changes: object) -> Activity:
    """Return the verdict on these calls, with a whole feed."""
    return AMonitor().verdict(*calls, **changes)  # type: ignore[arg-type]


class TestChanges:
    """Yes, No or Unknown."""

    def test_a_change_is_a_yes(self) -> None:
        verdict = of(a_call(), a_call("patch", "deployments.apps/web"))

        assert (verdict.changes, verdict.reasons, verdict.final) == (Changes.YES, (), True)
        assert verdict.changed == ("deployments.apps/web",)

    @pytest.mark.parametrize(
        "call",
        [
            a_call(),
            a_call("list", "secrets/"),
            refused("delete", "pods/web-0"),
            a_call("create", "pods/root", code=403),
            a_call("create", "pods/debug", dry_run=True),
            a_call("patch", "pods/web-0", code=422),
            a_call("delete", "pods/web-0", reason=STANDING),
        ],
    )
    def test_nothing_that_changed_anything_and_a_whole_feed_are_a_no(self, call: Call) -> None:
        verdict = of(call)

        assert (verdict.changes, verdict.reasons, verdict.final) == (Changes.NO, (), True)

    @pytest.mark.parametrize(
        "call",
        [
            EXEC,
            a_call("get", "services/web (proxy)"),
            a_call("delete", "pods/web-0", dry_run=None),
            a_call("create", "pods/debug", code=504),
            a_call("deletecollection", "pods/", code=403),
            a_call("delete", "pods/web-0", reason=None, decision=None),
            a_call("create", "pods/web-0 (exec)", code=101, reason=None, decision=None),
        ],
    )
    def test_what_hides_a_change_is_never_a_no(self, call: Call) -> None:
        verdict = of(a_call(), call)

        assert verdict.changes is Changes.UNKNOWN
        assert verdict.reasons

    def test_a_change_besides_something_hidden_is_a_yes(self) -> None:
        assert of(EXEC, a_call("delete", "pods/web-0")).changes is Changes.YES

    def test_silence_is_not_a_no(self) -> None:
        assert of(coverage=()).changes is Changes.UNKNOWN
        assert of(coverage=[whole(), LOST]).changes is Changes.UNKNOWN
        assert of(coverage=[whole(until=END - timedelta(seconds=1))]).changes is Changes.UNKNOWN
        assert of(coverage=[whole(since=NOON + timedelta(seconds=1))]).changes is Changes.UNKNOWN
        assert of(coverage=[whole(since=NOON, until=END)]).changes is Changes.NO

    def test_a_change_needs_no_coverage(self) -> None:
        verdict = of(a_call("delete", "pods/web-0"), coverage=())

        assert (verdict.changes, verdict.final) == (Changes.YES, False)

    def test_a_record_that_this_version_cannot_read_may_hide_a_change(self) -> None:
        monitor = AMonitor()
        monitor.arrives(a_call())
        (record,) = monitor.log.values()
        detail = {**record.block["detail"], "effect": "AWordOfTomorrow"}
        body = {**record.body, "unmapped": {"curfew": {**record.block, "detail": detail}}}
        monitor.tally().learn(Record("", record.event, record.subject, body))

        assert monitor.verdict().reasons == ("1 record of calls cannot be read by this version",)


class TestReasons:
    """Why the answer is Unknown, as sentences."""

    def test_a_connection_is_named_with_its_length(self) -> None:
        assert of(EXEC).reasons == ("no change through the API; 1 exec of 4 min cannot be seen into",)

    def test_several_are_counted(self) -> None:
        calls = [
            a_call("create", "pods/web-0 (exec)", code=101, lasted=timedelta(minutes=4)),
            a_call("get", "pods/web-1 (exec)", code=101, lasted=timedelta(minutes=8)),
            a_call("get", "pods/web-1 (attach)", code=101),
            a_call("get", "pods/web-1 (attach)", code=101),
            a_call("get", "pods/web-1 (portforward)", code=101, lasted=timedelta(hours=1)),
            a_call("get", "services/web (proxy)"),
        ]

        assert of(*calls).reasons == (
            (
                "no change through the API; 2 attaches, 2 execs of 12 min in all, 1 port-forward of 1 h and 1 proxied call "
                "cannot be seen into"
            ),
        )

    def test_one_that_is_open_has_no_length_yet(self) -> None:
        begun = a_call("create", "pods/web-0 (exec)", code=101, stage=CallStage.RESPONSE_STARTED)

        assert of(begun).reasons == ("no change through the API; 1 exec (still open) cannot be seen into",)

    def test_what_may_have_changed_something_is_counted(self) -> None:
        once = a_call("create", "pods/a", code=504)

        assert of(once).reasons == ("1 call may have changed something; its event does not show whether it did",)
        assert of(once, a_call("create", "pods/b", code=504)).reasons == (
            "2 calls may have changed something; their events do not show whether they did",
        )

    def test_a_hole_is_named_with_its_reason(self) -> None:
        assert of(coverage=[whole(), LOST]).reasons == (
            (
                "the feed of audit events is not known to be whole from 2026-11-23 12:03:00 UTC to 2026-11-23 12:05:00 UTC: "
                "no source was heard"
            ),
        )

    def test_many_holes_are_counted(self) -> None:
        rounds = [whole(NOON + timedelta(minutes=n), NOON + timedelta(minutes=n, seconds=30)) for n in range(60)]

        reasons = of(coverage=rounds).reasons

        assert len(reasons) == 5
        assert reasons[-1] == "nor in 56 more intervals"

    def test_there_are_few_and_they_are_short(self) -> None:
        long = coverage_lost("main-activity", since=NOON, at=END, why="x" * 1_000)
        calls = [
            EXEC,
            a_call("create", "pods/a", code=504),
            a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED),
            *(a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED) for _ in range(1_001)),
        ]
        losses = [
            coverage_lost("main-activity", since=NOON, at=NOON + timedelta(minutes=n + 1), why=f"{n}") for n in range(9)
        ]

        monitor = AMonitor()
        monitor.tally().unreadable = 3
        reasons = monitor.verdict(*calls, coverage=[long, *losses]).reasons

        assert len(reasons) == MOST_REASONS
        assert all(len(reason) <= 256 for reason in reasons)
        assert reasons[-1] == "and more"


class TestStreams:
    """Watches and connections that last."""

    def test_a_watch_that_is_open_keeps_the_answer_open(self) -> None:
        begun = a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED)
        monitor = AMonitor()

        open_ = monitor.verdict(begun)
        closed = monitor.verdict(a_call("watch", "pods/", audit_id=begun.audit_id, lasted=timedelta(minutes=9)))

        assert (open_.changes, open_.final, open_.reads) == (Changes.UNKNOWN, False, 1)
        assert open_.reasons == ("1 stream that only reads is still open",)
        assert (closed.changes, closed.final, closed.reads) == (Changes.NO, True, 1)

    def test_the_end_may_arrive_before_the_beginning(self) -> None:
        begun = a_call("create", "pods/web-0 (exec)", code=101, stage=CallStage.RESPONSE_STARTED)
        over = a_call("create", "pods/web-0 (exec)", code=101, audit_id=begun.audit_id, lasted=timedelta(minutes=4))

        assert of(over, begun) == of(begun, over)
        assert of(over, begun).opaque == 1

    def test_the_last_use_is_the_end_of_the_stream(self) -> None:
        assert of(EXEC).last_at == EXEC.received_at + timedelta(minutes=4)

    def test_a_stream_that_is_open_at_the_end_is_known_with_its_object(self) -> None:
        monitor = AMonitor()
        monitor.arrives(a_call("create", "pods/web-0 (exec)", code=101, stage=CallStage.RESPONSE_STARTED))

        (stream,) = monitor.tally().open_streams

        assert (stream.resource, stream.subresource, stream.name) == ("pods", "exec", "web-0")

    def test_what_nobody_waits_for_any_more_is_final(self) -> None:
        begun = a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED)

        verdict = of(begun, coverage=(), given_up=True)

        assert (verdict.changes, verdict.final) == (Changes.UNKNOWN, True)


class TestWhileItLasts:
    """Before the end of the grant."""

    NOW = NOON + timedelta(minutes=10)

    def verdict(self, *calls: Call, until: timedelta, given_up: bool = False) -> Activity:
        """Return the verdict ten minutes into the grant, with a feed that is whole until then."""
        monitor = AMonitor(trail=[announced()])
        return monitor.verdict(*calls, coverage=[whole(until=self.NOW - until)], now=self.NOW, given_up=given_up)

    def test_the_answer_is_not_final(self) -> None:
        assert not self.verdict(a_call("delete", "pods/web-0"), until=timedelta(0)).final

    def test_the_last_two_minutes_need_not_be_confirmed_yet(self) -> None:
        assert self.verdict(until=timedelta(seconds=90)).changes is Changes.NO

    def test_but_more_is_a_hole(self) -> None:
        assert self.verdict(until=timedelta(minutes=3)).changes is Changes.UNKNOWN

    def test_a_grant_whose_end_is_not_recorded_is_not_over_after_its_promised_end(self) -> None:
        monitor = AMonitor(trail=[announced()])
        late = END + timedelta(minutes=1)

        assert not monitor.verdict(now=late, coverage=[whole(until=late)]).final

    def test_and_if_nobody_waits_for_it_any_more_the_answer_is_unknown(self) -> None:
        verdict = self.verdict(until=timedelta(0), given_up=True)

        assert (verdict.changes, verdict.final) == (Changes.UNKNOWN, True)
        assert verdict.reasons == ("the trail does not hold the end of the access",)


class TestSummary:
    """One sentence of counted facts."""

    def test_it_reads_as_a_sentence(self) -> None:
        reads = [a_call("get", f"pods/web-{number}") for number in range(41)]
        changes = [a_call("patch", "deployments.apps/web"), a_call("create", "pods/debug")]

        assert of(*reads, *changes, EXEC).summary == (
            "read 41 objects, changed 2, one exec of 4 min, left one pod behind"
        )

    @pytest.mark.parametrize(
        ("calls", "summary"),
        [
            ([a_call()], "read one object"),
            ([a_call(), a_call(), a_call("get", "pods/web-1")], "read 2 objects"),
            ([a_call("list", "pods/")], "read one list"),
            ([a_call(), a_call("list", "pods/"), a_call("list", "pods/")], "read one object and 2 lists"),
            ([a_call("create", "localsubjectaccessreviews.authorization.k8s.io/")], "read once"),
            ([a_call("delete", "configmaps/a")], "changed one object"),
            ([a_call("delete", "configmaps/a"), a_call("create", "configmaps/a")], "changed one object"),
            ([a_call(), a_call("delete", "configmaps/a")], "read one object, changed one"),
            ([a_call("list", "pods/"), a_call("delete", "configmaps/a")], "read one list, changed one object"),
            ([refused()], "one call refused"),
            ([refused(), refused()], "2 calls refused"),
            ([a_call("patch", code=409)], "one call failed"),
            ([a_call("create", "configmaps/a", dry_run=True)] * 1, "one dry run"),
            ([a_call("create", "pods/a", code=504)], "one call that may have changed something"),
            ([a_call(reason=STANDING)], "one call that other access allowed"),
            (
                [a_call(reason=STANDING), a_call("delete", "pods/a", reason=STANDING)],
                "2 calls that other access allowed (one change)",
            ),
            (
                [a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED)],
                "one stream still open",
            ),
            (
                [
                    a_call("create", "serviceaccounts/a (token)", issued_credential="JTI=1"),
                    of_account(credential="JTI=1"),
                ],
                "read one object, changed one, minted one token, one call by its tokens and pods",
            ),
            (
                [a_call(source_addresses=(f"192.0.2.{number}",)) for number in range(12)],
                "read one object, from 12 addresses",
            ),
        ],
    )
    def test_each_fact_has_its_words(self, calls: list[Call], summary: str) -> None:
        assert of(*calls).summary == summary

    def test_no_use_has_its_own_sentence(self) -> None:
        assert of().summary == "the access was not used"
        assert of(coverage=()).summary == "no use of the access was seen"

    def test_it_never_gets_too_long(self) -> None:
        tally = SessionTally()
        tally.effects.update(dict.fromkeys(Effect, 10**300))
        tally.candidates[How.STANDING, Effect.CHANGED] = 10**300

        text = summary(tally, is_whole=True)

        assert len(text) <= 512
        assert text.endswith(", and more")


class TestFacts:
    """The other fields of the status."""

    def test_objects_and_sources_are_the_first_and_few(self) -> None:
        calls = [
            a_call(
                "patch",
                f"configmaps/settings-{number:03}",
                source_addresses=(f"192.0.2.{number}",),
                at=NOON + timedelta(seconds=number),
            )
            for number in range(200)
        ]

        verdict = of(*reversed(calls))

        assert verdict.changed == tuple(f"configmaps/settings-{number:03}" for number in range(20))
        assert verdict.sources == tuple(f"192.0.2.{number}" for number in range(8))
        assert "changed 200 objects" in verdict.summary

    def test_a_source_is_the_client_and_who_connected(self) -> None:
        """The addresses before the last are what a caller or a proxy says."""
        assert of(a_call(source_addresses=("203.0.113.7", "10.0.0.1", "192.0.2.9"))).sources == (
            "192.0.2.9",
            "203.0.113.7",
        )

    def test_what_is_no_address_is_no_source(self) -> None:
        assert of(a_call(source_addresses=("private", "192.0.2.9"))).sources == ("192.0.2.9",)

    def test_objects_elsewhere_are_named_with_their_namespace(self) -> None:
        monitor = AMonitor()
        verdict = monitor.verdict(
            a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"),
            of_account(
                "delete", "pods/web-0", credential="JTI=1", namespace="default", at=NOON + timedelta(minutes=20)
            ),
            of_account("delete", "nodes/node-1", credential="JTI=1", namespace="", at=NOON + timedelta(minutes=21)),
        )

        assert verdict.changed == ("serviceaccounts/deployer (token)", "pods/web-0 in default", "nodes/node-1")

    def test_sensitive_access_that_was_refused_did_not_happen(self) -> None:
        assert of(refused("get", "secrets/db"), a_call("get", "secrets/db", code=404)).sensitive == ()
        assert of(a_call("get", "secrets/db"), a_call("list", "secrets/"), EXEC).sensitive == ("Exec", "Secrets")
        assert of(a_call("get", "secrets/db", reason=STANDING)).sensitive == ()

    def test_first_and_last_use_are_those_with_the_access(self) -> None:
        verdict = of(
            refused(at=NOON + timedelta(minutes=1)),
            a_call(at=NOON + timedelta(minutes=2), reason=STANDING),
            a_call(at=NOON + timedelta(minutes=5), lasted=timedelta(0)),
            a_call(at=NOON + timedelta(minutes=3)),
        )

        assert (verdict.first_at, verdict.last_at) == (NOON + timedelta(minutes=3), NOON + timedelta(minutes=5))

    def test_names_of_any_length_fit_the_status(self) -> None:
        long = "x" * 1_000

        verdict = of(a_call("patch", f"{long}.{long}/{long}"), a_call("patch", f"configmaps/{long}"))

        assert all(len(changed) <= 320 for changed in verdict.changed)


def test_the_announcement_begins_the_window() -> None:
    early = AMonitor(trail=[announced(at=NOON - timedelta(minutes=10)), ended(at=END)])

    assert early.verdict(uid=UID).changes is Changes.UNKNOWN


class TestKeeping:
    """What an approver keeps is left behind, and is nobody's to do any more."""

    def of(self, *calls: Call, decided: Record) -> Activity:
        return AMonitor(trail=[announced(), ended(), decided]).verdict(*calls, now=END + timedelta(minutes=2))

    def test_what_is_kept_does_not_remain(self) -> None:
        verdict = self.of(a_call("create", "pods/debug"), a_call("create", "cronjobs.batch/c"), decided=kept())

        assert (verdict.remains, verdict.kept_by, verdict.kept_reason) == (0, BOB, "it is the fix")
        assert verdict.changes is Changes.YES
        assert verdict.summary.endswith("left one cronjob and one pod behind (kept)")

    def test_what_was_made_after_the_decision_remains(self) -> None:
        verdict = self.of(
            a_call("create", "pods/debug"),
            a_call("create", "pods/late", at=NOON + timedelta(minutes=30)),
            decided=kept(at=NOON + timedelta(minutes=20)),
        )

        assert (verdict.remains, verdict.kept_by) == (1, BOB)
        assert verdict.summary.endswith("left 2 pods behind (1 kept)")

    def test_what_was_changed_after_the_decision_is_not_what_was_kept(self) -> None:
        verdict = self.of(
            a_call("create", "rolebindings.rbac.authorization.k8s.io/x"),
            a_call("patch", "rolebindings.rbac.authorization.k8s.io/x", at=NOON + timedelta(minutes=30)),
            decided=kept(at=NOON + timedelta(minutes=20)),
        )

        assert (verdict.remains, verdict.kept_by) == (1, None)

    def test_a_decision_about_nothing_is_not_shown(self) -> None:
        verdict = self.of(a_call(), decided=kept())

        assert (verdict.remains, verdict.kept_by, verdict.kept_reason) == (0, None, None)

    def test_objects_that_were_too_many_to_follow_are_kept_with_the_others(self) -> None:
        calls = [a_call("create", f"pods/p-{number}") for number in range(510)]

        assert self.of(*calls, decided=kept()).remains == 0
        assert self.of(*calls, decided=kept(at=NOON)).remains == 510

    def test_a_long_reason_is_cut(self) -> None:
        verdict = self.of(a_call("create", "pods/debug"), decided=kept(reason="x" * 1024))

        assert verdict.kept_reason is not None
        assert len(verdict.kept_reason) == 256
