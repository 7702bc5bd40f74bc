"""The answers computed again: the same as the monitor's from the same records, and different where one was changed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.activity.recount import ASSESSED, Recount, answer_in
from tests.support.activity import kept
from tests.support.watching import Watch, a_call, records_of, the_calls, the_session, the_trail, the_watch
from tests.vectors.make_vectors import ENDED

SOON = ENDED + timedelta(seconds=3)


@pytest.fixture
def watch() -> Watch:
    """Return what the monitor has recorded of one session, with its answer."""
    made = the_watch()
    made.see(*the_calls(made))
    made.assess(the_session(made).uid, SOON)
    return made


def recounted(records: list[Record]) -> Recount:
    """Return the fold over the trail and these records."""
    recount = Recount()
    for record in records_of(the_trail()):
        recount.learn_trail(record)
    for index, record in enumerate(records, 1):
        recount.learn_activity(index, record)
    return recount


def with_detail(record: Record, **detail: Any) -> Record:
    """Return a record with other values in its detail."""
    block = {**record.block, "detail": {**record.block["detail"], **detail}}
    return replace(record, body={**record.body, "unmapped": {"curfew": block}})


def test_the_same_records_give_the_same_answer(watch: Watch) -> None:
    (one,) = recounted(watch.records).answers(SOON + timedelta(days=9))

    assert one.recorded is not None
    assert one.recorded_in == len(watch.records)
    assert one.answer.changes == one.recorded.changes == "Yes"
    assert one.answer.final
    assert one.differs == ()
    assert one.answer.summary == one.recorded.summary


@pytest.mark.parametrize("lost", range(2, 7))
def test_without_one_of_the_calls_the_answer_is_another(watch: Watch, lost: int) -> None:
    """Which a log that verifies cannot have; a monitor that counts wrongly can."""
    (one,) = recounted([*watch.records[: lost - 1], *watch.records[lost:]]).answers(SOON)

    assert one.differs


def test_the_last_recorded_answer_counts(watch: Watch) -> None:
    first = with_detail(watch.records[-1], changes="No")

    (one,) = recounted([*watch.records[:-1], first, watch.records[-1]]).answers(SOON)

    assert one.differs == ()


def test_a_recorded_answer_that_cannot_be_read_differs(watch: Watch) -> None:
    broken = with_detail(watch.records[-1], changes="Perhaps", reads=-1)

    (one,) = recounted([*watch.records[:-1], broken]).answers(SOON)

    assert answer_in(broken) is None
    assert (one.recorded, one.differs) == (None, ("changes",))


def test_without_coverage_nothing_is_known_to_be_no(watch: Watch) -> None:
    reads = [record for record in watch.records if record.event == "call.read"]

    (one,) = recounted(reads).answers(SOON)

    assert one.answer.changes == "Unknown"
    assert [(hole.since, hole.until) for hole in one.holes] == [(one.begin, one.end)]
    assert not one.answer.final


def test_records_of_a_session_that_the_trail_does_not_have_are_left_out(watch: Watch) -> None:
    other = replace(watch.records[2], subject="uid-of-nobody")

    recount = recounted([*watch.records, other, replace(watch.records[-1], subject="uid-of-nobody")])

    assert recount.answer("uid-of-nobody", SOON) is None
    assert [one.differs for one in recount.answers(SOON)] == [()]
    assert watch.records[-1].event == ASSESSED


@pytest.fixture
def leaving() -> list[Record]:
    """Return what the monitor has recorded of a session that left a pod behind, with its answer."""
    made = the_watch()
    session = the_session(made)
    made.see(a_call(session, "create", "pods", ENDED - timedelta(seconds=5), name="debug"))
    made.assess(session.uid, SOON)
    return made.records


def test_a_decision_that_comes_long_after_the_end_makes_the_recorded_answer_no_other(leaving: list[Record]) -> None:
    """The monitor has forgotten the session by then, and gives no new answer."""
    recount = recounted(leaving)
    (before,) = recount.answers(SOON)
    recount.learn_trail(kept(before.session.uid, at=SOON + timedelta(days=7)))

    (one,) = recount.answers(SOON + timedelta(days=9))

    assert one.recorded is not None
    assert (one.answer.remains, one.recorded.remains) == (0, 1)
    assert one.differs == ()


def test_a_decision_before_the_recorded_answer_has_to_be_in_it(leaving: list[Record]) -> None:
    recount = recounted(leaving)
    (before,) = recount.answers(SOON)
    recount.learn_trail(kept(before.session.uid, at=ENDED + timedelta(seconds=1)))

    (one,) = recount.answers(SOON + timedelta(days=9))

    assert one.differs == ("remains",)
