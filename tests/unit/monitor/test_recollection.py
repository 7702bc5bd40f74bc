"""The monitor's log is read back as far as the sessions that are known reach, and no further."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from curfew.audit.record import Record
from curfew.core.activity.sessions import Sessions
from curfew.processes.monitor.recollection import Recollection
from curfew.trail.recovery import recover
from tests.support.activity import UID, a_call, announced, ended, whole
from tests.support.builders import NOON
from tests.support.logs import ALog, a_signer
from tests.support.monitoring import LOG, SPAN
from tests.support.stores import MemoryStore

DAYS = timedelta(days=1)


def a_log(*segments: tuple[timedelta, list[Record]]) -> ALog:
    log = ALog(LOG, a_signer(LOG))
    for after, records in segments:
        log.append(records, NOON + after)
    return log


def read_back(log: ALog, *trail: Record, span: timedelta = SPAN) -> Recollection:
    sessions = Sessions()
    for record in trail:
        sessions.learn(record)
    remember = partial(Recollection, LOG, sessions, span)
    store = MemoryStore(log.objects)
    return asyncio.run(recover(store, LOG, [log.verifier], span, NOON + 10 * DAYS, remember, lot=lambda: 0.5)).memory


def calls(*what: str) -> list[Record]:
    """Return the records of calls in the session."""
    sessions = Sessions()
    sessions.learn(announced())
    attribution = Recollection(LOG, sessions, SPAN).attribution
    return [found.record for one in what for found in attribution.attribute(a_call("create", one))]


def test_what_a_session_did_is_known_after_a_start() -> None:
    memory = read_back(a_log((timedelta(0), []), (timedelta(minutes=20), calls("pods/a", "pods/b"))), announced())
    assert memory.tally(UID).writes == 2
    assert memory.take_changed() == {UID}
    assert memory.take_changed() == set()


def test_a_start_reads_as_far_back_as_a_session_that_is_known() -> None:
    log = a_log(
        (-20 * DAYS, []),
        (timedelta(0), []),
        (timedelta(minutes=20), calls("pods/a")),
        *((timedelta(hours=6 * number), []) for number in range(1, 8)),
    )
    assert read_back(log, announced(), span=60 * DAYS).tally(UID).writes == 1
    # 25 hours are read anyway, which do not reach back to the session.
    assert not read_back(log, announced(), span=timedelta(hours=1)).is_complete


def test_without_a_session_no_more_than_a_day_is_read() -> None:
    log = a_log((-20 * DAYS, []), *((timedelta(hours=6 * number), []) for number in range(12)))
    memory = read_back(log, span=60 * DAYS)
    assert memory.is_complete
    assert memory.forgotten_before is not None
    assert memory.forgotten_before > NOON


def test_until_when_the_feed_was_whole_is_known_after_a_start() -> None:
    until = NOON + timedelta(minutes=20)
    memory = read_back(a_log((timedelta(0), [whole(until=until)])), announced())
    assert memory.covered_until == until
    assert memory.coverage.holes(NOON, until) == ()


def test_a_session_that_is_forgotten_leaves_nothing() -> None:
    memory = read_back(a_log((timedelta(minutes=20), calls("pods/a"))), announced(), ended())
    assert memory.forget(NOON + 2 * DAYS, NOON) == (UID,)
    assert memory.tally(UID).writes == 0


@pytest.mark.parametrize("until", ["", "yesterday"])
def test_an_interval_that_cannot_be_read_covers_nothing(until: str) -> None:
    record = whole()
    record.body["unmapped"]["curfew"]["detail"]["until"] = until
    memory = read_back(a_log((timedelta(0), [record])), announced())
    assert memory.covered_until is None
