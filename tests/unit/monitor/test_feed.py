"""What may be lost makes a hole in the coverage, once, and what comes again makes none."""

from datetime import datetime, timedelta

import pytest

from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch
from curfew.processes.monitor.feed import BEFORE, GIVE_UP, LATE, MOST_REFUSED, MOST_SOURCES, Feed
from tests.support.builders import NOON
from tests.support.world import FakeClock

Hole = tuple[datetime, datetime, str]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def holes() -> list[Hole]:
    return []


@pytest.fixture
def feed(clock: FakeClock, holes: list[Hole]) -> Feed:
    return Feed(clock, lambda since, at, why: holes.append((since, at, why)))


def batch(body: bytes = b"{}", source: str = "a") -> Batch:
    return Batch(source, Form.KUBERNETES, body, is_lines=False)


def test_a_refused_batch_is_waited_for_until_it_comes_again(feed: Feed, holes: list[Hole]) -> None:
    feed.refused(batch(b"1"))
    feed.refused(batch(b"2"))
    feed.taken(batch(b"1"))
    assert feed.is_waiting
    feed.taken(batch(b"2"))
    assert not feed.is_waiting
    feed.give_up()
    assert holes == []


def test_the_same_bytes_of_another_source_are_another_batch(feed: Feed) -> None:
    feed.refused(batch(source="a"))
    feed.taken(batch(source="b"))
    assert feed.is_waiting


def test_a_batch_that_never_comes_again_makes_a_hole_from_its_events_to_now(
    feed: Feed, clock: FakeClock, holes: list[Hole]
) -> None:
    feed.refused(batch())
    clock.advance(seconds=200)
    feed.refused(batch())
    feed.give_up()
    assert holes == []
    clock.advance(seconds=101)
    feed.give_up()
    assert not feed.is_waiting
    assert [(since, at) for since, at, _ in holes] == [(NOON - BEFORE, NOON + timedelta(seconds=301))]


def test_more_refused_batches_than_can_be_remembered_make_a_hole_at_once(feed: Feed, holes: list[Hole]) -> None:
    for number in range(MOST_REFUSED):
        feed.refused(batch(str(number).encode()))
    assert holes == []
    feed.refused(batch(b"one more"))
    assert len(holes) == 1


def test_one_reason_is_reported_once_in_a_minute(feed: Feed, clock: FakeClock, holes: list[Hole]) -> None:
    feed.lose("they were too large")
    feed.lose("they were too large")
    feed.lose("they were compressed")
    assert [why for _, _, why in holes] == ["they were too large", "they were compressed"]
    clock.advance(seconds=60)
    feed.lose("they were too large")
    assert holes[2:] == [(NOON - GIVE_UP, NOON + timedelta(seconds=60), "they were too large")]


def test_holes_of_one_reason_leave_nothing_between_them(feed: Feed, clock: FakeClock, holes: list[Hole]) -> None:
    feed.lose("why")
    clock.advance(seconds=59)
    feed.lose("why")  # not reported, and so covered by the next report
    clock.advance(seconds=2)
    feed.lose("why")
    (_, first_end, _), (second_begin, _, _) = holes
    assert second_begin <= first_end


def test_a_loss_that_is_the_last_of_its_minute_is_reported_as_well(
    feed: Feed, clock: FakeClock, holes: list[Hole]
) -> None:
    feed.lose("why")
    clock.advance(seconds=30)
    feed.lose("why")
    clock.advance(seconds=40)
    feed.give_up()
    assert holes[-1][1] >= NOON + timedelta(seconds=30)


def test_a_source_is_heard_by_the_time_of_its_events(feed: Feed) -> None:
    feed.heard("a", NOON - timedelta(minutes=1))
    feed.heard("b", NOON)
    feed.heard("b", NOON - timedelta(minutes=2))
    assert feed.heard_since(NOON - timedelta(seconds=30)) == ("b",)
    assert feed.heard_since(NOON - timedelta(minutes=1)) == ("a", "b")


def test_an_event_from_the_future_lets_nobody_look_alive_for_ever(feed: Feed, clock: FakeClock) -> None:
    feed.heard("a", NOON + timedelta(days=365))
    clock.advance(seconds=60)
    assert feed.heard_since(NOON + timedelta(seconds=30)) == ()


def test_an_api_server_whose_clock_is_ahead_makes_a_hole(feed: Feed, holes: list[Hole]) -> None:
    """Its last calls under a grant have times after the end, so they are not told from calls by a forged binding."""
    feed.heard("a", NOON + timedelta(seconds=5))
    assert holes == []
    feed.heard("a", NOON + timedelta(seconds=6))
    assert [(since, at) for since, at, _ in holes] == [(NOON - BEFORE, NOON)]
    assert "clock" in holes[0][2]


def test_a_call_that_lasted_a_minute_before_its_batch_was_made_is_inside_the_hole_of_that_batch(
    feed: Feed, clock: FakeClock, holes: list[Hole]
) -> None:
    received = NOON - timedelta(seconds=60 + 30 + 100)  # answered late, collected late, sent in vain
    feed.refused(batch())
    clock.advance(seconds=301)
    feed.give_up()
    assert holes[0][0] <= received


def test_the_number_of_sources_is_bounded(feed: Feed) -> None:
    for number in range(MOST_SOURCES):
        feed.heard(str(number), NOON)
    assert feed.knows("0")
    assert not feed.knows("one more")
    feed.heard("one more", NOON)
    assert len(feed.heard_since(NOON)) == MOST_SOURCES


def test_what_comes_so_late_that_its_sender_may_have_dropped_others_makes_a_hole(
    feed: Feed, clock: FakeClock, holes: list[Hole]
) -> None:
    """An API server could not reach us, and could again before it gave up these events, but not those before them."""
    feed.delivered(batch(), NOON - LATE)
    assert holes == []
    feed.delivered(batch(), NOON - LATE - timedelta(seconds=1))
    (hole,) = holes
    assert hole == (NOON - GIVE_UP, NOON, "audit events of a came so late that others may have been dropped")


def test_what_is_late_because_we_refused_it_is_no_hole(feed: Feed, clock: FakeClock, holes: list[Hole]) -> None:
    """Each batch that we refuse is waited for by itself."""
    feed.refused(batch())
    clock.advance(minutes=3)
    feed.delivered(batch(), NOON)
    assert holes == []


def test_what_was_late_before_we_refused_it_is_a_hole(feed: Feed, clock: FakeClock, holes: list[Hole]) -> None:
    feed.refused(batch())
    clock.advance(minutes=3)
    feed.delivered(batch(), NOON - LATE - timedelta(seconds=1))
    assert len(holes) == 1
