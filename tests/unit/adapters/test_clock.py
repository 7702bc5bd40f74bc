"""The clock never goes back, and believes what brings an end nearer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from curfew.adapters.clock import LaterClock, SystemClock

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


SECONDS = st.floats(0.001, 3600)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), SECONDS),
        st.tuples(st.just("is set"), st.floats(-3600, 3600)),
        st.tuples(st.just("is proved"), st.floats(-3600, 3600)),
    ),
    max_size=30,
)


@given(EVENTS)
def test_the_later_clock_is_behind_neither_and_never_goes_back_or_stands_still(events: list[tuple[str, float]]) -> None:
    hands = Hands()
    own = hands.clock()
    clock, proof, last = LaterClock(own), None, START
    for what, seconds in events:
        if what == "passes":
            hands.pass_by(seconds)
        elif what == "is set":
            hands.set_wall(seconds)
        else:
            proof = START + timedelta(seconds=seconds), own.monotonic()
            clock.prove(*proof)
        now = clock.now()
        proven = proof[0] + timedelta(seconds=own.monotonic() - proof[1]) if proof else START
        assert now >= max(own.now(), proven)
        assert now > last if what == "passes" else now >= last
        assert proof is None or clock.is_past(proven)
        last = now
    hands.pass_by(3 * 3600 * (len(events) + 1))
    own_now = own.now()
    assert clock.now() == max(own_now, proof[0] + timedelta(seconds=own.monotonic() - proof[1]) if proof else own_now)
