"""Which alerts are open: bounded, and nobody takes one for another."""

import time
from datetime import timedelta

from curfew.core.detectors.alert import Severity
from curfew.core.detectors.opened import OpenAlert, OpenAlerts
from curfew.core.remembered import MOST_KEYS
from tests.support.builders import NOON


def an_open(number: int, key: str = "") -> OpenAlert:
    """Return an alert."""
    at = NOON + timedelta(seconds=number)
    return OpenAlert(f"id-{number}", "Lights", key or f"key-{number}", at, Severity.LOW, "A light is on", ())


def test_the_oldest_goes_and_each_new_one_costs_the_same() -> None:
    opened = OpenAlerts()
    for number in range(MOST_KEYS):
        opened.open(an_open(number))
    began = time.process_time()
    for number in range(MOST_KEYS, MOST_KEYS + 3000):
        opened.open(an_open(number))
    took = time.process_time() - began

    assert took < 2  # if it looked at all of them each time, it would be half a minute
    assert len(opened.all()) == MOST_KEYS
    assert opened.by_id("id-2999") is None
    assert opened.by_id("id-3000") == an_open(3000)


def test_an_id_never_leads_to_a_later_alert_of_its_key() -> None:
    opened = OpenAlerts()
    for number in range(MOST_KEYS + 1):  # the first had to go
        opened.open(an_open(number))
    opened.open(an_open(MOST_KEYS + 1, key="key-0"))

    opened.close("id-0")

    assert opened.by_id("id-0") is None
    assert opened.at("Lights", "key-0") == an_open(MOST_KEYS + 1, key="key-0")
