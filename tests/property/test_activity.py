"""For every course of a session: the counts follow from the log, in every order, and no answer is a No that is not true."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.api.activity import Activity, Changes
from curfew.audit.record import Record
from curfew.core.activity.attribution import Attributed
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.effect import How
from curfew.core.activity.records import coverage_confirmed, coverage_lost
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess
from tests.support.activity import (
    END,
    OTHER_UID,
    STANDING,
    UID,
    AMonitor,
    a_call,
    announced,
    ended,
    of_account,
    reason,
    refused,
    whole,
)
from tests.support.builders import ALICE, BOB, NOON
from tests.support.scale import times

RBAC = "rbac.authorization.k8s.io"
LASTING = ("pods/web-0 (exec)", "pods/web-0 (log)", "pods/")


@dataclass
class Course:
    """A session as it happens: the events that API servers send, in order, and what is true of it."""

    events: list[Call] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    pods: list[str] = field(default_factory=list)  # that are there
    left: set[str] = field(default_factory=set)
    open: int = 0
    changed: bool = False
    hidden: bool = False
    number: int = 0

    def now(self) -> datetime:
        """Return the next instant; the grant lasts two hours."""
        self.number += 1
        return NOON + timedelta(seconds=100 * self.number)

    def send(self, *calls: Call, changed: bool = False, hidden: bool = False) -> None:
        """Send events of one step."""
        self.events += calls
        self.changed = self.changed or changed
        self.hidden = self.hidden or hidden

    def read(self) -> None:
        self.send(a_call("get", f"pods/web-{self.number % 3}", at=self.now()))

    def look_at_all(self) -> None:
        self.send(a_call("list", "secrets/", at=self.now()))

    def change(self) -> None:
        self.send(a_call("patch", f"configmaps/settings-{self.number % 3}", at=self.now()), changed=True)

    def delete_all(self) -> None:
        self.send(a_call("deletecollection", "configmaps/", at=self.now()), changed=True)

    def be_refused(self) -> None:
        self.send(refused(at=self.now()))

    def rehearse(self) -> None:
        self.send(a_call("create", "pods/never", dry_run=True, at=self.now()))

    def fail(self) -> None:
        self.send(a_call("delete", "pods/nobody", code=404, at=self.now()))

    def run_out_of_time(self) -> None:
        self.send(a_call("create", "pods/perhaps", code=504, at=self.now()), hidden=True)

    def seem_to_rehearse(self) -> None:
        self.send(a_call("delete", "configmaps/settings-0", dry_run=None, at=self.now()), hidden=True)

    def use_other_access(self) -> None:
        self.send(a_call("delete", "configmaps/settings-0", reason=STANDING, at=self.now()))

    def leave_out_the_reason(self) -> None:
        self.send(
            a_call("delete", "configmaps/a", reason=None, decision=None, at=NOON + timedelta(minutes=1)), hidden=True
        )

    def connect(self, *, ends: bool, what: str = "pods/web-0 (exec)") -> None:
        verb = "watch" if what.endswith("/") else "get"
        at, code = self.now(), 101 if "exec" in what else 200
        begun = a_call(verb, what, code=code, at=at, stage=CallStage.RESPONSE_STARTED)
        over = dataclasses.replace(begun, stage=CallStage.RESPONSE_COMPLETE, at=at + timedelta(minutes=4))
        self.send(begun, *([over] if ends else []), hidden="exec" in what or not ends)

    def mint(self) -> None:
        credential = f"JTI={self.number}"
        what = "serviceaccounts/deployer (token)"
        self.send(a_call("create", what, issued_credential=credential, at=self.now()), changed=True)
        self.tokens.append(credential)

    def use_token(self, *, mints: bool = False) -> None:
        if not self.tokens:
            return
        credential = self.tokens[self.number % len(self.tokens)]
        if mints:
            new = f"JTI=of-{self.number}"
            what = "serviceaccounts/other (token)"
            self.send(
                of_account("create", what, credential=credential, issued_credential=new, at=self.now()), changed=True
            )
            self.tokens.append(new)
        else:
            self.send(of_account("list", "nodes/", namespace="", credential=credential, at=self.now()))

    def make_pod(self) -> None:
        name = f"debug-{self.number}"
        self.send(a_call("create", f"pods/{name}", at=self.now()), changed=True)
        self.pods.append(name)
        self.left.add(name)

    def call_from_pod(self) -> None:
        if self.pods:
            name = self.pods[self.number % len(self.pods)]
            self.send(of_account(pod=(name, f"uid-of-{name}"), credential=f"JTI=of-{name}", at=self.now()))

    def lose_a_pod(self, **who: Any) -> None:
        if self.pods:
            name = self.pods.pop(0)
            self.send(a_call("delete", f"pods/{name}", at=self.now(), **who))
            self.changed = self.changed or not who
            self.left.discard(name)

    def lose_all_pods(self) -> None:
        controller = {"user": "system:serviceaccount:kube-system:namespace-controller", "reason": "of its own"}
        self.send(a_call("deletecollection", "pods/", uri="/pods", at=self.now(), **controller))
        self.pods, self.left = [], set()

    def happen_elsewhere(self) -> None:
        self.send(
            a_call("delete", "pods/web-0", user=BOB, reason="his own", at=self.now()),
            of_account(credential="JTI=another"),
            a_call("delete", "pods/web-0", reason=reason(OTHER_UID), at=self.now()),
        )


STEPS: list[Callable[[Course], None]] = [
    Course.read,
    Course.look_at_all,
    Course.change,
    Course.delete_all,
    Course.be_refused,
    Course.rehearse,
    Course.fail,
    Course.run_out_of_time,
    Course.seem_to_rehearse,
    Course.use_other_access,
    Course.leave_out_the_reason,
    lambda course: course.connect(ends=True),
    lambda course: course.connect(ends=False),
    lambda course: course.connect(ends=True, what="pods/"),
    lambda course: course.connect(ends=False, what="pods/"),
    lambda course: course.connect(ends=True, what="pods/web-0 (log)"),
    Course.mint,
    Course.use_token,
    lambda course: course.use_token(mints=True),
    Course.make_pod,
    Course.make_pod,
    Course.call_from_pod,
    Course.lose_a_pod,
    lambda course: course.lose_a_pod(user=BOB, reason="his own"),
    lambda course: course.lose_a_pod(reason=STANDING),
    Course.lose_all_pods,
    Course.happen_elsewhere,
]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Return a course of a few dozen steps."""
    course = Course()
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=40)):
        step(course)
    return course


def a_monitor() -> AMonitor:
    """Return a monitor that knows two grants of alice's, at the same time."""
    grants = [
        record for uid in (UID, OTHER_UID) for record in (announced(uid), ended(uid, at=END + timedelta(hours=1)))
    ]
    return AMonitor(trail=grants)


COVERED = whole(until=END + timedelta(hours=2))


def verdicts(monitor: AMonitor) -> tuple[Activity, Activity]:
    """Return the verdicts on both grants, with a feed that was whole."""
    return tuple(monitor.verdict(uid=uid, coverage=[COVERED], now=END + timedelta(hours=3)) for uid in (UID, OTHER_UID))  # type: ignore[return-value]


@given(courses())
def test_the_verdict_follows_from_the_log_alone(course: Course) -> None:
    monitor = a_monitor()
    monitor.arrives(*course.events)
    told = verdicts(monitor)

    monitor.restart()

    assert verdicts(monitor) == told


@given(courses(), st.data())
def test_neither_order_nor_repetition_changes_the_counts(course: Course, data: st.DataObject) -> None:
    in_order, shuffled = a_monitor(), a_monitor()
    in_order.arrives(*course.events)
    again = data.draw(st.lists(st.sampled_from(course.events), max_size=10)) if course.events else []

    shuffled.arrives(*data.draw(st.permutations([*course.events, *again])))

    assert verdicts(shuffled) == verdicts(in_order)
    assert {id_ for id_, record in shuffled.log.items() if record.event.startswith("call.")} == {
        id_ for id_, record in in_order.log.items() if record.event.startswith("call.")
    }


@given(courses(), st.lists(st.booleans(), min_size=1))
def test_restarts_change_nothing(course: Course, restarts: list[bool]) -> None:
    steady, restarted = a_monitor(), a_monitor()
    steady.arrives(*course.events)

    for number, call in enumerate(course.events):
        restarted.arrives(call)
        if restarts[number % len(restarts)]:
            restarted.restart()
            restarted.arrives(call)  # the API server has had no answer, and sends it again

    assert verdicts(restarted) == verdicts(steady)
    assert restarted.log.keys() == steady.log.keys()


@given(courses())
def test_the_answer_is_true(course: Course) -> None:
    monitor = a_monitor()
    monitor.arrives(*course.events)

    verdict, _ = verdicts(monitor)

    assert verdict.changes == (Changes.YES if course.changed else Changes.UNKNOWN if course.hidden else Changes.NO)
    assert bool(verdict.reasons) == (verdict.changes is Changes.UNKNOWN)
    assert {one.key.name for one in monitor.tally().remains.left} == course.left
    assert verdict.remains == len(course.left)


@given(courses(), st.data())
def test_what_did_not_arrive_in_a_hole_is_never_a_no(course: Course, data: st.DataObject) -> None:
    """Whatever is lost, the feed is not known to be whole then."""
    monitor = a_monitor()
    monitor.arrives(*(call for call in course.events if data.draw(st.booleans())))
    since = data.draw(st.integers(0, 119))
    hole = coverage_lost(
        "main-activity",
        since=NOON + timedelta(minutes=since),
        at=NOON + timedelta(minutes=since + 1),
        why="it was away",
    )

    verdict = monitor.verdict(coverage=[COVERED, hole], now=END + timedelta(hours=3))

    assert verdict.changes is not Changes.NO
    assert not verdict.final


texts = st.text(max_size=12)
mutations = st.tuples(
    st.integers(0, 200), st.integers(0, 5), st.text(alphabet='"\\/ curfewRBAC:xaliceUser-', max_size=6)
)


@given(mutations, st.sampled_from([ALICE, BOB, 'x" of ClusterRole "admin']))
def test_a_call_belongs_to_the_binding_only_if_the_reason_is_the_one_that_rbac_gives(
    change: tuple[int, int, str], user: str
) -> None:
    start, cut, put = change
    text = reason()[:start] + put + reason()[start + cut :]

    found = a_monitor().attribution.attribute(a_call(user=user, reason=text))

    bound = [one for one in found if isinstance(one, Attributed) and one.how is How.BINDING]
    assert bool(bound) == (text == reason() and user == ALICE)


@settings(max_examples=times(300))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "audit_id": texts,
            "verb": st.one_of(
                texts, st.sampled_from(["get", "delete", "deletecollection", "create", "watch", "proxy"])
            ),
            "uri": st.one_of(texts, st.just("/a?labelSelector=%zz&=;&limit")),
            "group": texts,
            "resource": st.one_of(texts, st.sampled_from(["pods", "namespaces", "secrets", ""])),
            "subresource": st.one_of(texts, st.sampled_from(["exec", "token", "ephemeralcontainers"])),
            "namespace": st.sampled_from(["payments", "", "*", "x"]),
            "name": texts,
            "code": st.one_of(st.none(), st.integers(0, 999)),
            "decision": st.sampled_from([None, "", "allow", "forbid", "maybe"]),
            "reason": st.one_of(st.none(), texts, st.just(reason()), st.just(STANDING)),
            "impersonated": st.one_of(st.none(), texts, st.just("system:serviceaccount:payments:")),
            "issued_credential": st.one_of(st.none(), texts),
            "dry_run": st.sampled_from([True, False, None]),
            "stage": st.sampled_from(CallStage),
            "source_addresses": st.lists(texts, max_size=3).map(tuple),
            "user_agent": st.one_of(st.none(), texts),
            "at": st.timedeltas(timedelta(days=-738_000), timedelta(days=2_900_000)).map(lambda far: NOON + far),
            "lasted": st.timedeltas(timedelta(-1), timedelta(1)),
            "caller": st.builds(
                Caller,
                st.one_of(
                    texts, st.sampled_from([ALICE, "system:serviceaccount:payments:deployer", "system:serviceaccount:"])
                ),
                credential=st.one_of(st.none(), texts),
                pod=st.one_of(st.none(), st.tuples(texts, texts)),
            ),
        },
    )
)
def test_no_event_raises_and_each_record_can_be_written(changes: dict[str, Any]) -> None:
    monitor = a_monitor()
    call = dataclasses.replace(a_call(), **{name: changes[name] for name in changes if name not in ("at", "lasted")})
    if "at" in changes:
        call = dataclasses.replace(
            call, received_at=changes["at"], at=changes["at"] + changes.get("lasted", timedelta(0))
        )

    monitor.arrives(
        a_call("create", "serviceaccounts/a (token)", issued_credential=""), a_call("create", "pods/"), call
    )
    monitor.attribution.caught_up(END)
    monitor.restart()

    for record in monitor.log.values():
        assert Record.parse(record.body).line()
    verdicts(monitor)


json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_a_record_of_any_form_raises_nothing_and_one_about_a_call_is_never_passed_over(data: st.DataObject) -> None:
    monitor = a_monitor()
    (found, *_) = monitor.arrives(a_call("delete", "pods/web-0"))
    detail = dict(found.record.block["detail"])
    name = data.draw(st.sampled_from([*detail, "pod", "issued_credential", "selected", "new"]))
    detail[name] = data.draw(json)
    event = data.draw(
        st.sampled_from(["call.deleted", "call.of_tomorrow", "stream.opened", "session.remains_gone", "coverage.lost"])
    )
    block = {**found.record.block, "detail": data.draw(st.one_of(st.just(detail), json))}
    record = Record(found.record.id, event, UID, {**found.record.body, "unmapped": {"curfew": block}})

    tally, coverage = SessionTally(), Coverage()
    for learn in (tally.learn, coverage.learn, monitor.attribution.learn, monitor.sessions.learn):
        learn(record)
    coverage.learn(COVERED)

    verdict = assess(monitor.session(), tally, coverage, END + timedelta(hours=3), given_up=False)
    assert verdict.changes is not Changes.NO or not event.startswith(("call.", "stream."))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(1, 6)), max_size=12),
    st.integers(0, 30),
    st.integers(0, 10),
    st.randoms(use_true_random=False),
)
def test_coverage_is_what_was_confirmed_without_what_was_lost(
    told: list[tuple[bool, int, int]], since: int, length: int, shuffle: Any
) -> None:
    def at(minute: float) -> datetime:
        return NOON + timedelta(minutes=minute)

    records = [
        coverage_confirmed("a", since=at(start), until=at(start + long), sources=[], servers=1, classes=[])
        if is_confirmed
        else coverage_lost("a", since=at(start), at=at(start + long), why="lost")
        for is_confirmed, start, long in told
    ]
    shuffle.shuffle(records)
    coverage = Coverage()
    for record in records:
        coverage.learn(record)

    def is_whole(minute: float) -> bool:
        within = [ok for ok, start, long in told if start <= minute <= start + long]
        return any(within) and all(within)

    holes = coverage.holes(at(since), at(since + length))

    # Half minutes are inside intervals, never at their ends.
    inside = [since + n + 0.5 for n in range(length)]
    assert all(is_whole(minute) != any(hole.since <= at(minute) <= hole.until for hole in holes) for minute in inside)
    assert not holes or all(at(since) <= hole.since <= hole.until <= at(since + length) for hole in holes)
    assert bool(holes) or all(map(is_whole, inside))
