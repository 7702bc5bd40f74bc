"""Somebody other than Curfew changed a grant."""

import pytest

from curfew.core.detectors.alert import Severity
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, told


@pytest.mark.parametrize(
    ("event", "severity"),
    [
        ("grant.drifted", Severity.HIGH),
        ("grant.orphan_removed", Severity.HIGH),
        ("grant.binding_removed", Severity.MEDIUM),
        ("grant.role_changed", Severity.MEDIUM),
    ],
)
def test_each_change_is_told(event: str, severity: Severity) -> None:
    fold = Fold("GrantChanged")
    fold.learn(told(event, NOON, a_story(1)))

    (alert,) = fold.alerts
    assert (alert.key, alert.severity, alert.people) == (f"{event}/uid-1", severity, (ALICE,))
    assert alert.story == a_story(1)


def test_what_curfew_does_itself_is_no_change() -> None:
    fold = Fold("GrantChanged")
    fold.learn(told("grant.expired", NOON, a_story(1)), told("grant.revoked", NOON, a_story(1)))
    assert fold.found == []
