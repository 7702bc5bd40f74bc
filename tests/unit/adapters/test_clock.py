"""The clock never goes back, and believes what brings an end nearer."""

from datetime import UTC, datetime, timedelta

from curfew.adapters.clock import SystemClock

SECOND = 1_000_000_000
START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


class Hands:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall = int(START.timestamp()) * SECOND
        self.monotonic = 5 * SECOND

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.monotonic += int(seconds * SECOND)

    def set_wall(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)


def test_it_tells_the_time_of_the_wall_in_utc() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_by(1.5)
    assert clock.now() == START + timedelta(seconds=1.5)
    assert clock.now().tzinfo is UTC
    assert clock.ahead == timedelta(0)


def test_a_wall_set_forward_is_believed_at_once() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.set_wall(3600)
    assert clock.now() == START + timedelta(hours=1)


def test_a_wall_set_back_postpones_nothing() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.set_wall(-3600)
    hands.pass_by(10)
    assert clock.now() == START + timedelta(seconds=10)
    assert clock.ahead == timedelta(hours=1)


def test_a_wall_set_back_and_then_right_again_is_believed_again() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.set_wall(-3600)
    hands.pass_by(10)
    hands.set_wall(+3600)
    assert clock.now() == START + timedelta(seconds=10)
    assert clock.ahead == timedelta(0)


def test_set_back_right_after_forward_time_still_does_not_go_back() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.set_wall(60)
    before = clock.now()
    hands.set_wall(-120)
    assert clock.now() == before
    hands.pass_by(1)
    assert clock.now() == before + timedelta(seconds=1)


def test_time_asleep_counts_when_the_wall_was_set_back() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.set_wall(-3600)
    hands.monotonic += 600 * SECOND  # the machine slept: its wall may not know yet, the monotonic clock does
    assert clock.now() == START + timedelta(minutes=10)


def test_the_real_one_agrees_with_the_machine() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)
