"""No record can stop a detector, whatever it holds; and what a detector remembers has a bound."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from curfew.audit.record import CURFEW, PolicyRef, Record, Story, make_record
from curfew.core.detectors import bursts
from curfew.core.detectors.alert import Seen, WhichLog
from curfew.core.detectors.all import DETECTORS, engine, tunings
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Burst
from curfew.core.detectors.reading import LONGEST
from tests.support.activity import UID, a_call
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold, a_detector, called

WRONG: tuple[Any, ...] = (None, -1, "", "x\u202e\x00" * 999, ["x"] * 300, [None, {}], {"a": {"b": 1}}, 10**15)
FIELDS = (
    *(
        "how",
        "effect",
        "verb",
        "resource",
        "name",
        "namespace",
        "call",
        "received_at",
        "credential",
        "pod",
        "sensitive",
    ),
    *("network", "why", "count", "request", "subjects", "role", "kind", "uid", "policies", "policy", "spec", "stories"),
    *(
        "final",
        "remains",
        "changes",
        "reads",
        "kept_by",
        "changed",
        "since",
        "until",
        "seconds",
        "user",
        "more_subjects",
    ),
)

BY_THE_OPERATOR = {"policy.created", "policy.weakened", "request.accepted", "request.rejected"}
"""Events whose names the API server has checked: they are short."""


def a_record(event: str) -> Record:
    """Return a record of an event, with the detail of a call."""
    story = Story(UID, "payments", "inc-1", ALICE, policy=PolicyRef("debug", "uid", 1))
    detail = called(a_call("get", "secrets/db"))[0].block["detail"]
    return replace(
        make_record("session.assessed", at=NOON, actor=ALICE, message="m", story=story, detail=detail), event=event
    )


def hostile(event: str) -> Iterator[Record]:
    """Yield records of an event of which one part each is wrong."""
    good = a_record(event)

    def with_block(**changes: Any) -> Record:
        return replace(good, body={**good.body, "unmapped": {"curfew": {**good.block, **changes}}})

    for value in WRONG:
        yield from (with_block(detail={**good.block["detail"], field: value}) for field in FIELDS)
        yield from (with_block(**{part: value}) for part in ("detail", "story", "actor", "source"))


def test_no_record_stops_anything_and_what_an_alert_repeats_is_short() -> None:
    folding = engine(tunings({}, {}), log="main-activity", now=NOON)
    folding.begin(NOON)
    index = 0
    for event in sorted({event for name in DETECTORS for event in a_detector(name).events}):
        for record in hostile(event):
            folding.learn(Seen(record, WhichLog.ACTIVITY, index))
            index += 1
    begin = NOON + timedelta(minutes=20)
    good = called(*(a_call("get", f"secrets/s{one}", at=begin + timedelta(seconds=one)) for one in range(20)))
    for place, record in enumerate(good, start=index):
        folding.learn(Seen(record, WhichLog.ACTIVITY, place))
    folding.look(NOON + timedelta(days=400))

    told = folding.take()
    assert sum(record.block["detail"]["detector"] == "MassSecretReads" for record in told) == 1
    for record in told:
        is_of_calls = a_detector(record.block["detail"]["detector"]).events.isdisjoint(BY_THE_OPERATOR)
        assert not is_of_calls or len(record.block["detail"]["key"]) <= 5 * LONGEST
        assert len(record.line()) < 64 * 1024


def test_a_burst_is_bounded_and_still_counts() -> None:
    burst: Burst[int] = Burst()
    seen = Seen(called(a_call())[0], WhichLog.ACTIVITY, 0)
    window = [burst.add(seen, NOON, number, timedelta(hours=1)) for number in range(MOST_IN_A_BURST + 100)][-1]
    assert len(burst) == len(window) == MOST_IN_A_BURST
    assert len(bursts.evidence(window)) == bursts.MOST_EVIDENCE


def test_a_burst_forgets_what_is_old() -> None:
    burst: Burst[int] = Burst()
    seen = Seen(called(a_call())[0], WhichLog.ACTIVITY, 0)
    for number in range(100):
        burst.add(seen, NOON + number * timedelta(minutes=1), number, timedelta(minutes=5))
    assert len(burst) == 11


def test_curfew_itself_is_nobody() -> None:
    fold = Fold("RefusedDecision", others=1)
    fold.learn(
        make_record("review.refused", at=NOON, actor=CURFEW, message="m", subject="s", detail={"effect": "TooLate"})
    )
    assert fold.found == []
