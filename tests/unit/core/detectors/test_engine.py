"""The engine records each alert once, also after a restart, and says what it has looked at."""

import pytest

from curfew.audit.record import CURFEW, Record, Story, make_record
from curfew.core.detectors import engine as engine_module
from curfew.core.detectors.alert import Seen, Severity, WhichLog
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.records import told
from curfew.core.detectors.silences import AlertSilence, silence_ended, silenced
from tests.support.builders import NOON
from tests.support.lights import LOG, MINUTE, Both, Lights, light


def test_what_is_found_is_recorded_once_until_it_is_resolved() -> None:
    both = Both()
    both.see(light("a", MINUTE), light("a", 2 * MINUTE), light("a", 3 * MINUTE, is_on=False), light("a", 4 * MINUTE))

    assert both.told == [("raised", "on/a"), ("resolved", "on/a"), ("raised", "on/a")]
    assert [one.key for one in both.engine.open()] == ["on/a"]


def test_a_deadline_counts_from_when_it_was_and_not_from_when_it_was_looked_at() -> None:
    both = Both()
    both.see(light("a", MINUTE))
    both.look(NOON + 300 * MINUTE)

    alert = told(both.logs[WhichLog.ACTIVITY][-1])
    assert alert is not None
    assert (alert.key, alert.at) == ("long/a", NOON + 61 * MINUTE)


def test_a_clock_that_was_ahead_stops_no_deadline() -> None:
    both = Both()
    both.look(NOON + 300_000 * MINUTE)
    both.see(light("a", MINUTE))
    both.look(NOON + 30 * MINUTE)
    assert both.told == [("raised", "on/a")]

    both.look(NOON + 61 * MINUTE)
    assert both.told[-1] == ("raised", "long/a")
    assert both.engine.now == NOON + 61 * MINUTE


def test_a_deadline_that_was_before_a_record_is_found_before_it() -> None:
    both = Both()
    both.see(light("a", MINUTE), light("a", 90 * MINUTE, is_on=False))

    assert both.told == [("raised", "on/a"), ("raised", "long/a"), ("resolved", "on/a"), ("resolved", "long/a")]


def test_a_new_installation_does_not_begin_with_old_alerts() -> None:
    both = Both()
    both.logs[WhichLog.TRAIL] += [light("a", MINUTE), light("b", 2 * MINUTE)]
    both.start(NOON + 90 * MINUTE)

    assert both.told == []
    both.see(light("c", 91 * MINUTE))
    assert both.told == [("raised", "on/c")]


def test_what_happened_while_it_was_down_is_found_and_nothing_twice() -> None:
    both = Both()
    both.see(light("a", MINUTE))
    both.append(both.engine.checked(NOON + 2 * MINUTE))
    both.see(light("b", 3 * MINUTE))  # recorded, and in no `detection.checked`
    both.logs[WhichLog.TRAIL].append(light("c", 5 * MINUTE))
    both.start(NOON + 62 * MINUTE)

    assert both.told == [("raised", key) for key in ("on/a", "on/b", "on/c", "long/a")]
    both.start(NOON + 62 * MINUTE)
    assert len(both.told) == 4


@pytest.mark.parametrize("kept", range(6))
def test_killed_while_it_appends_it_appends_the_rest(kept: int) -> None:
    both = Both()
    both.append(both.engine.checked(NOON))
    records = [light("a", MINUTE), light("b", MINUTE), light("a", 2 * MINUTE, is_on=False), light("a", 3 * MINUTE)]
    both.see(*records, take=False)
    for record in both.engine.take()[:kept]:
        both.logs[WhichLog.ACTIVITY].append(record)
    both.start(NOON + 4 * MINUTE)

    assert both.told == [("raised", "on/a"), ("raised", "on/b"), ("resolved", "on/a"), ("raised", "on/a")]


def test_an_alert_that_was_resolved_before_a_kill_is_not_open_after_it() -> None:
    both = Both()
    both.append(both.engine.checked(NOON))
    both.see(light("a", MINUTE), light("a", 2 * MINUTE, is_on=False))
    both.start(NOON + 3 * MINUTE)

    assert both.engine.open() == ()
    both.see(light("a", 4 * MINUTE))
    assert both.told[-1] == ("raised", "on/a")
    assert len(both.told) == 3


def test_after_its_quiet_time_the_same_is_raised_again() -> None:
    both = Both(quiet=10 * MINUTE)
    both.see(light("a", MINUTE), light("a", 10 * MINUTE), light("a", 11 * MINUTE))

    assert [record.at for record in both.logs[WhichLog.ACTIVITY]] == [NOON + MINUTE, NOON + 11 * MINUTE]


def test_a_person_resolves_an_alert_once() -> None:
    both = Both()
    both.see(light("a", MINUTE))
    (alert,) = both.engine.open()

    assert both.engine.resolve(alert.id, by="bob", reason="it is day", at=NOON + 2 * MINUTE)
    both.see(light("a", 3 * MINUTE, is_on=False))
    assert not both.engine.resolve(alert.id, by="bob", reason="again", at=NOON + 4 * MINUTE)
    both.take()

    assert both.told == [("raised", "on/a"), ("resolved", "on/a")]
    end = both.logs[WhichLog.ACTIVITY][-1]
    assert (end.block["actor"], end.block["detail"]["reason"]) == ("bob", "it is day")
    assert end.block["detail"]["alert"] == end.body["finding_info"]["uid"] == alert.id


def a_silence(**changes: str) -> AlertSilence:
    return AlertSilence("s-1", "night", NOON + 10 * MINUTE, "a test", "bob", **changes)


@pytest.mark.parametrize(
    ("silence", "is_silenced"),
    [
        pytest.param(a_silence(), True, id="of everything"),
        pytest.param(
            a_silence(detector="Lights", person="alice", namespace="payments", policy="a"), True, id="all fits"
        ),
        pytest.param(a_silence(detector="Heating"), False, id="another detector"),
        pytest.param(a_silence(person="carol"), False, id="another person"),
        pytest.param(a_silence(policy="b"), False, id="another policy"),
        pytest.param(a_silence(namespace="search"), False, id="another namespace"),
        pytest.param(
            AlertSilence("s", "n", NOON + 10 * MINUTE, "r", "alice"), False, id="of somebody about themselves"
        ),
    ],
)
def test_what_is_silenced_is_recorded_all_the_same(silence: AlertSilence, is_silenced: bool) -> None:
    both = Both()
    both.append(silenced(silence, LOG, at=NOON))
    both.see(light("a", MINUTE))

    alert = told(both.logs[WhichLog.ACTIVITY][-1])
    assert alert is not None
    assert alert.silenced_by == (silence.uid if is_silenced else "")


def test_what_was_silenced_hides_nothing_once_the_silence_is_over() -> None:
    both = Both(quiet=600 * MINUTE)
    both.append(silenced(a_silence(), LOG, at=NOON))
    both.see(light("a", MINUTE), light("a", 2 * MINUTE), light("a", 11 * MINUTE), light("a", 12 * MINUTE))

    found = [alert for record in both.logs[WhichLog.ACTIVITY] if (alert := told(record)) is not None]
    assert [(alert.at, alert.silenced_by) for alert in found] == [(NOON + MINUTE, "s-1"), (NOON + 11 * MINUTE, "")]


def test_what_is_graver_is_raised_although_the_same_is_open() -> None:
    both = Both(quiet=600 * MINUTE)
    both.append(both.engine.checked(NOON))
    both.see(light("a", MINUTE))
    both.lights.severity = Severity.HIGH
    both.see(light("a", 2 * MINUTE))
    both.lights.severity = Severity.LOW
    both.see(light("a", 3 * MINUTE))

    assert [alert.severity for alert in both.engine.open()] == [Severity.HIGH]
    assert len(both.told) == 2


def test_a_silence_ends_at_its_time_or_before() -> None:
    both = Both()
    both.append(silenced(a_silence(), LOG, at=NOON))
    both.see(light("a", 10 * MINUTE))
    both.append(silence_ended(a_silence(), LOG, at=NOON + 11 * MINUTE, why="it was removed"))
    assert both.engine.silences.all() == ()
    both.start(NOON + 12 * MINUTE)
    both.see(light("b", 9 * MINUTE))

    found = [told(record) for record in both.logs[WhichLog.ACTIVITY]]
    assert [alert.silenced_by for alert in found if alert is not None] == ["", ""]


def test_a_detector_that_cannot_read_a_record_is_counted_and_goes_on() -> None:
    both = Both()
    both.see(make_record("policy.created", at=NOON, actor=CURFEW, message="m", subject="x", detail={"spec": 1}))
    both.see(light("a", MINUTE))

    assert both.engine.unreadable == {"Lights": 1}
    assert both.told == [("raised", "on/a")]


def test_a_finding_of_which_no_record_can_be_made_is_counted_and_in_no_others_way() -> None:
    both = Both()
    both.append(both.engine.checked(NOON))
    both.lights.story = Story(uid="", namespace="payments", request="r")
    both.see(light("a", MINUTE), take=False)
    both.lights.story = None
    both.see(light("b", MINUTE))

    assert both.told == [("raised", "on/b")]
    assert both.engine.unreadable == {"Lights": 1}


def test_a_flood_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MOST_PENDING", 10)
    both = Both()
    both.see(*(light(f"l{number}", MINUTE) for number in range(25)))

    assert both.engine.dropped == 15
    assert len(both.told) == 10


def test_what_only_teaches_is_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "MOST_PENDING", 10)
    both = Both()
    both.logs[WhichLog.TRAIL] += [light(f"l{number}", MINUTE) for number in range(25)]
    both.start(NOON + 2 * MINUTE)

    assert both.engine.dropped == 0
    assert both.told == []


def test_the_time_that_another_system_writes_passes_no_deadline() -> None:
    both = Both()
    both.append(both.engine.checked(NOON))
    ahead = make_record("detection.configured", at=NOON + 500 * MINUTE, actor=CURFEW, message="m", subject=LOG)
    block = {**ahead.block, "event": "external.called"}
    ahead = Record.parse({**ahead.body, "unmapped": {"curfew": block}})
    both.logs[WhichLog.TRAIL].append(light("a", MINUTE))
    both.logs[WhichLog.ACTIVITY].append(ahead)
    both.start(NOON + 30 * MINUTE)

    assert both.told == [("raised", "on/a")]
    assert both.engine.now == NOON + 30 * MINUTE


def test_what_was_looked_at_is_recorded_with_its_places() -> None:
    both = Both()
    both.see(light("a", MINUTE))
    record = both.engine.checked(NOON + 2 * MINUTE)

    assert record is not None
    assert record.block["detail"] == {"until": "2026-11-23T12:01:00Z", "trail": 1, "activity": 0}


def test_before_it_has_begun_nothing_is_recorded() -> None:
    engine = Engine([Lights()], log=LOG, now=NOON)
    engine.learn(Seen(light("a", MINUTE), WhichLog.TRAIL, 0))

    assert engine.take() == ()
    assert engine.checked(NOON) is None
