"""Changes of the guards are recorded once the log was read, and only if it does not hold them."""

from collections.abc import Iterable
from datetime import timedelta

from curfew.audit.record import Record
from curfew.core.facts import EnforcementState
from curfew.processes.operator.guards import MOST_WAITING, Guards
from tests.support.builders import NOON
from tests.support.world import FakeClock

ON = EnforcementState(ok=True, reason="Enforced", message="All are in force.", since=NOON)
OFF = EnforcementState(False, "NotEnforced", "One is not.", NOON, policies=("a",))


class ATrail:
    """A log that takes records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def submit(self, records: Iterable[Record]) -> None:
        """Take records."""
        self.records += records

    def last_of_guards(self) -> Record | None:
        """Return the last one."""
        return self.records[-1] if self.records else None

    @property
    def events(self) -> list[str]:
        """What was told."""
        return [record.event.partition(".")[2] for record in self.records]


def guards(trail: ATrail, clock: FakeClock) -> Guards:
    """Return what a process has."""
    return Guards("main", lambda: trail, clock)


def test_each_change_is_told_once() -> None:
    trail, clock = ATrail(), FakeClock(NOON)
    kept = guards(trail, clock)
    kept.opened()
    for state in (ON, OFF, OFF, ON, ON):
        clock.advance(seconds=30)
        kept.changed(state)

    assert trail.events == ["lost", "restored"]
    assert [record.at for record in trail.records] == [NOON + timedelta(seconds=60), NOON + timedelta(seconds=120)]


def test_what_changes_before_the_log_was_read_is_told_then_with_its_time() -> None:
    trail, clock = ATrail(), FakeClock(NOON)
    kept = guards(trail, clock)
    kept.changed(OFF)
    clock.advance(minutes=10)
    kept.changed(ON)
    assert trail.events == []
    clock.advance(minutes=10)
    kept.opened()

    assert trail.events == ["lost", "restored"]
    assert [record.at for record in trail.records] == [NOON, NOON + timedelta(minutes=10)]


def test_the_next_process_goes_on_where_the_last_one_ended() -> None:
    trail, clock = ATrail(), FakeClock(NOON)
    first = guards(trail, clock)
    first.opened()
    first.changed(OFF)
    clock.advance(minutes=1)
    second = guards(trail, clock)
    second.opened()
    second.changed(OFF)
    assert trail.events == ["lost"]
    third = guards(trail, clock)
    third.changed(ON)
    third.opened()

    assert trail.events == ["lost", "restored"]


def test_how_much_waits_has_a_bound() -> None:
    trail, clock = ATrail(), FakeClock(NOON)
    kept = guards(trail, clock)
    for number in range(MOST_WAITING + 50):
        clock.advance(seconds=1)
        kept.changed(OFF if number % 2 else ON)
    kept.opened()

    assert len(trail.records) <= MOST_WAITING
    assert trail.events[-1] == "lost"
