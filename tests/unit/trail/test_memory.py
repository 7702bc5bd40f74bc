"""What is remembered of the log, for how long, and at what cost."""

import tracemalloc
from collections.abc import Sequence
from datetime import timedelta

from curfew.audit.record import Record
from curfew.audit.segment import Head, seal
from curfew.trail.memory import Memory
from tests.support.trail import LOG, SIGNER, START, a_record, records

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class Teacher:
    """Appends segments to a log that nobody stores, and has a memory learn them."""

    def __init__(self, window: timedelta = 24 * HOUR) -> None:
        self.memory = Memory(LOG, window)
        self.head = Head.genesis(LOG)

    def teach(self, told: Sequence[Record], *, hours: float = 0, own: bool = True) -> Head:
        lines = [record.line() for record in told]
        _, self.head = seal(self.head, lines, at=START + hours * HOUR, writer="curfew-1", signer=SIGNER)
        self.memory.learn(told, self.head, own=own)
        return self.head


def test_a_receipt_names_the_place_and_the_log_as_it_was_after_that_segment() -> None:
    teacher = Teacher()
    heads = [teacher.teach(records(0, 2)), teacher.teach([]), teacher.teach(records(3, 4))]
    teacher.teach(records(5, 9))

    for number, head in ((0, heads[0]), (2, heads[0]), (3, heads[2]), (4, heads[2])):
        receipt = teacher.memory.receipt(a_record(number).id)
        assert receipt is not None
        assert (receipt.log, receipt.index, receipt.size) == (LOG, number, head.range.size)
        assert receipt.root == head.range.root().hex()
    assert teacher.memory.receipt(a_record(10).id) is None


def test_own_records_are_told_from_others() -> None:
    teacher = Teacher()
    teacher.teach(records(0, 1), own=False)
    teacher.teach(records(2, 3), own=True)

    assert [teacher.memory.is_own(a_record(number).id) for number in range(5)] == [False, False, True, True, False]
    assert [receipt.index for n in range(4) if (receipt := teacher.memory.receipt(a_record(n).id))] == [0, 1, 2, 3]


def test_nothing_within_the_window_is_forgotten_and_what_is_long_past_is() -> None:
    teacher = Teacher()
    for hour in range(200):
        teacher.teach([a_record(hour)], hours=hour)
        known = [n for n in range(hour + 1) if n > hour - 24]
        last = known[0]
        assert teacher.memory.receipt(a_record(last).id) is not None, f"forgot {last} at {hour}"
        assert len(teacher.memory) <= 24 * 5 // 4 + 6 + len(range(max(0, hour - 24)))
    assert teacher.memory.receipt(a_record(100).id) is None


def test_a_long_silence_forgets_nothing_of_what_was_before_it_at_once() -> None:
    teacher = Teacher()
    teacher.teach(records(0, 5), hours=0)
    teacher.teach([a_record(6)], hours=1000)

    assert teacher.memory.receipt(a_record(6).id) is not None
    # The window is behind the newest segment now; what lies before it may go with the next one.
    teacher.teach([a_record(7)], hours=1025)
    assert teacher.memory.receipt(a_record(0).id) is None


def test_what_is_asked_for_again_and_again_stays() -> None:
    teacher = Teacher()
    teacher.teach(records(0, 1), hours=0)
    receipt = teacher.memory.receipt(a_record(0).id)
    for hour in range(1, 300):
        teacher.teach([], hours=hour)
        assert teacher.memory.receipt(a_record(0).id) == receipt
        assert teacher.memory.is_own(a_record(0).id)
    assert teacher.memory.receipt(a_record(1).id) is None


def test_a_record_costs_little() -> None:
    memory = Memory(LOG, 24 * HOUR)
    head = Head.genesis(LOG)
    batches = [records(start, start + 99) for start in range(0, 5000, 100)]
    segments = []
    for batch in batches:
        lines = [record.line() for record in batch]
        _, head = seal(head, lines, at=START, writer="curfew-1", signer=SIGNER)
        segments.append((batch, head))
    tracemalloc.start()
    for batch, head in segments:
        memory.learn(batch, head, own=True)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used / 5000 < 250  # bytes


def test_it_is_known_since_when_every_record_is_remembered() -> None:
    """Only then can it be told of a record that is not known that the log does not hold it."""
    teacher = Teacher()
    teacher.teach([a_record(0)])
    assert teacher.memory.remembers(START - 1000 * HOUR)  # it knows the log from its beginning

    for hour in range(1, 60):
        teacher.teach([a_record(hour)], hours=hour)

    assert teacher.memory.remembers(START + 36 * HOUR)
    assert not teacher.memory.remembers(START + 24 * HOUR)
