"""Killed at any record and started again from the logs, the engine raises the same alerts, and none of them twice."""

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from curfew.audit.record import Record
from curfew.core.detectors.alert import WhichLog
from tests.support.builders import NOON
from tests.support.lights import MINUTE, Both, light

STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.booleans(),  # whether the light goes on
        st.integers(0, 40),  # minutes after the step before
        st.sampled_from(WhichLog),
        st.sampled_from((None, None, None, 0, 1, 2)),  # killed after so many records were appended
        st.booleans(),  # whether it is recorded afterwards what was looked at
    ),
    max_size=14,
)


@given(STEPS, st.sampled_from((None, 30 * MINUTE)))
def test_kills_change_nothing(
    steps: list[tuple[str, bool, int, WhichLog, int | None, bool]], quiet: timedelta | None
) -> None:
    undisturbed, killed = Both(quiet), Both(quiet)
    killed.append(killed.engine.checked(NOON))
    undisturbed.append(undisturbed.engine.checked(NOON))
    now = NOON
    for number, (which, is_on, after, log, kept, is_checked) in enumerate(steps):
        now += after * MINUTE + timedelta(milliseconds=number)  # each at a time of its own
        record = light(which, now - NOON, is_on=is_on)
        undisturbed.see(record, log=log)
        killed.see(record, log=log, take=kept is None)
        if kept is not None:
            killed.logs[WhichLog.ACTIVITY] += killed.engine.take()[:kept]
            killed.start(now)
        if is_checked:
            killed.append(killed.engine.checked(now))
    for both in (undisturbed, killed):
        both.look(now + 90 * MINUTE)

    assert told(killed) == told(undisturbed)


def told(both: Both) -> Counter[tuple[str, str]]:
    """Return all alerts and their ends, each as often as it is in the log."""

    def is_about_an_alert(record: Record) -> bool:
        return record.event in ("alert.raised", "alert.resolved")

    return Counter((one.event, one.id) for one in filter(is_about_an_alert, both.logs[WhichLog.ACTIVITY]))
