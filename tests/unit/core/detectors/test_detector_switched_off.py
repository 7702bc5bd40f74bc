"""A detector that somebody switched off."""

from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.detectors.all import tunings
from curfew.core.detectors.records import configured
from curfew.core.detectors.tuning import TuningRefused
from tests.support.builders import NOON
from tests.support.findings import Fold


def settings(*off: str, **policies: Any) -> Record:
    return configured("main-activity", detectors={}, policies=policies, off=list(off), changed=["x"], at=NOON)


def test_a_detector_that_is_off_and_on_again() -> None:
    fold = Fold("DetectorSwitchedOff")
    fold.learn(settings(), settings("Probing"), settings("Probing", "OffHours"), settings("OffHours"))

    assert [alert.key for alert in fold.alerts] == ["Probing", "OffHours"]
    assert [end.key for end in fold.ends] == ["Probing"]
    assert fold.alerts[0].message == "the detector Probing was switched off in the settings of the monitor"


def test_before_the_first_record_all_are_on() -> None:
    fold = Fold("DetectorSwitchedOff")
    fold.learn(settings("Probing"))
    assert len(fold.alerts) == 1


def test_a_detector_that_is_off_for_one_policy() -> None:
    fold = Fold("DetectorSwitchedOff")
    fold.learn(settings(**{"payments/debug": {"Probing": {"enabled": False}, "OffHours": {"begin": "07:00"}}}))

    (alert,) = fold.alerts
    assert (alert.namespace, alert.policy) == ("payments", "debug")
    assert "Probing was switched off for AccessPolicy debug in payments" in alert.message


def test_it_cannot_be_switched_off_itself() -> None:
    with pytest.raises(TuningRefused, match=r"DetectorSwitchedOff: enabled: must stay on, or nobody would see"):
        tunings({"DetectorSwitchedOff": {"enabled": False}}, {})
