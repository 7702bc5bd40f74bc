"""What was found of the log comes to one word and one sentence: the first thing that keeps records from being durable."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.core.trail_state import TrailFindings, TrailReason, TrailTrouble, is_worth_a_word, judge_trail, silence
from tests.support.trail import START

WELL = TrailFindings(needs_proof=True, is_open=True, is_proved=True)
AWAY = TrailTrouble(TrailReason.STORE_UNAVAILABLE, "The store is away.")
LATER = START + timedelta(minutes=5)

FINDINGS: Mapping[TrailReason, tuple[Mapping[str, Any], str]] = {
    TrailReason.STOPPED: ({"stopped": "The writer ended."}, "The writer ended."),
    TrailReason.STORE_UNAVAILABLE: ({"trouble": AWAY}, AWAY.message),
    TrailReason.OPENING: ({"is_open": False}, "The log is being read."),
    TrailReason.VERIFICATION_FAILED: ({"discrepancy": "It reads back otherwise."}, "It reads back otherwise."),
    TrailReason.NOT_YET_PROVED: ({"is_proved": None}, "Curfew is still checking that the store is write-once."),
    TrailReason.NOT_WRITE_ONCE: ({"is_proved": False, "shortcomings": "It has no lock."}, "It has no lock."),
}
"""Each finding that is an obstacle, the graver ones first."""


def test_where_nothing_is_wrong_records_become_durable() -> None:
    state = judge_trail(WELL, None, now=START)

    assert (state.ok, state.reason, state.message) == (True, "Writing", "Records become durable.")
    assert (state.since, state.is_open) == (START, True)


@pytest.mark.parametrize("reason", FINDINGS)
def test_each_obstacle_has_its_word_and_its_sentence(reason: TrailReason) -> None:
    found, message = FINDINGS[reason]
    state = judge_trail(replace(WELL, **found), None, now=START)

    assert (state.ok, state.reason, state.message) == (False, reason, message)


def test_the_gravest_obstacle_has_the_word() -> None:
    # What is not proved yet and what is proved not to be exclude each other, so the last is left out.
    left = [found for found, _ in FINDINGS.values()][:-1]
    for reason in list(FINDINGS)[:-1]:
        changes = {name: value for found in left for name, value in found.items()}
        assert judge_trail(replace(WELL, **changes), None, now=START).reason == reason
        left = left[1:]


@pytest.mark.parametrize("is_proved", [None, False])
def test_a_store_that_need_not_be_write_once_is_no_obstacle(is_proved: bool | None) -> None:
    assert judge_trail(replace(WELL, needs_proof=False, is_proved=is_proved), None, now=START).ok


def test_why_the_store_could_not_be_asked_is_told_while_it_is_not_proved() -> None:
    asked = replace(WELL, is_proved=None, not_asked="It does not answer.")

    assert judge_trail(asked, None, now=START).message == "It does not answer."
    assert judge_trail(replace(asked, is_proved=True), None, now=START).ok, "what was proved before is taken to hold"


def test_another_message_for_the_same_reason_is_no_new_beginning() -> None:
    before = judge_trail(replace(WELL, trouble=AWAY), None, now=START)
    other = replace(AWAY, message="The credentials are wrong.")
    after = judge_trail(replace(WELL, trouble=other), before, now=LATER)

    assert (after.message, after.since) == ("The credentials are wrong.", START)
    assert judge_trail(WELL, after, now=LATER).since == LATER


@pytest.mark.parametrize(
    ("lasts", "is_first", "announced"),
    [
        pytest.param(False, True, False, id="one failure may be made good at once"),
        pytest.param(False, False, True, id="two in a row are an outage"),
        pytest.param(True, True, True, id="what lasts is told at once"),
        pytest.param(True, False, True, id="and so is more of it"),
    ],
)
def test_what_is_announced_at_once(lasts: bool, is_first: bool, announced: bool) -> None:
    assert is_worth_a_word(replace(AWAY, lasts=lasts), is_first=is_first) is announced


def test_silence_is_trouble_of_whoever_is_silent() -> None:
    trouble = silence(TrailReason.SIGNING_FAILED, "The signing key", after=timedelta(seconds=3))

    assert trouble == TrailTrouble(TrailReason.SIGNING_FAILED, "The signing key has not answered for 3 s.")
