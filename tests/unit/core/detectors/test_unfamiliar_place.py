"""A network or a credential that was not seen of a person lately is told, once enough is known of the person."""

from datetime import datetime, timedelta
from typing import Any

from curfew.audit.record import Record
from curfew.core.activity.call import Caller
from curfew.core.activity.noticing.records import SeenBy, person_seen
from curfew.core.detectors.alert import Severity
from curfew.core.detectors.familiar import MOST_OF_A_KIND
from tests.support.activity import a_call
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold

DAY = timedelta(days=1)
OFFICE, HOME, ELSEWHERE = "private", "198.51.100.0/24", "203.0.113.0/24"
CERTIFICATE, OTHER = "X509SHA256=05fb", "X509SHA256=99aa"


def seen(day: float, network: str = HOME, credential: str = CERTIFICATE, *, who: str = ALICE) -> Record:
    """Return the record of a person on a day after noon."""
    call = a_call("list", "accessrequests.curfew.dev", caller=Caller(who), at=NOON + day * DAY)
    return person_seen(call, "main-activity", network=network, credential=credential, by=SeenBy.REQUEST)


def known(*days: float, **settings: Any) -> Fold:
    """Return a detector that has seen alice on these days, from home."""
    fold = Fold("UnfamiliarPlace", **settings)
    fold.learn(*map(seen, days))
    return fold


def test_a_new_network_is_told_with_what_was_learnt() -> None:
    fold = known(0, 2, 5, 8, 10, 14)
    fold.learn(seen(15, ELSEWHERE))

    (alert,) = fold.alerts
    assert alert.severity is Severity.MEDIUM
    assert alert.message == (
        f"{ALICE} came from network 203.0.113.0/24, which they had not used in 14 days; they were seen on 5 days "
        "in this time; this detector has learnt since 2026-11-23"
    )
    assert alert.people == (ALICE,)
    assert alert.values == {"network": ELSEWHERE, "days_known": 5}


def test_a_familiar_one_is_not_told_and_a_new_one_is_familiar_the_next_time() -> None:
    fold = known(0, 2, 5, 8, 10, 14)
    fold.learn(seen(15), seen(15.1, ELSEWHERE), seen(15.2, ELSEWHERE), seen(16, ELSEWHERE))
    assert len(fold.alerts) == 1


def test_a_new_credential_is_told_and_both_together_weigh_most() -> None:
    fold = known(0, 2, 5, 8, 10, 14)
    fold.learn(seen(15, credential=OTHER), seen(16, ELSEWHERE, "X509SHA256=77"))

    assert [alert.severity for alert in fold.alerts] == [Severity.LOW, Severity.HIGH]
    assert fold.alerts[0].message.startswith(f"{ALICE} came with a new credential, which they had not used")
    assert fold.alerts[1].message.startswith(
        f"{ALICE} came from network 203.0.113.0/24 and a new credential, which they"
    )


def test_nobody_is_told_of_in_the_first_two_weeks_of_a_log() -> None:
    fold = known(0, 1, 2, 3, 4)
    fold.learn(seen(13.9, ELSEWHERE))
    assert fold.found == []
    fold.learn(seen(14, "192.0.2.0/24"))
    assert len(fold.alerts) == 1


def test_that_time_may_be_set() -> None:
    fold = known(0, 1, 2, learning="1s", days=3)
    fold.learn(seen(3, ELSEWHERE))
    assert len(fold.alerts) == 1


def test_a_person_has_to_have_been_seen_on_five_days_before() -> None:
    fold = known(0, 1)
    newcomer = [seen(day, who=BOB) for day in (20, 20.1, 20.2, 21, 22, 23)]
    fold.learn(*newcomer, seen(24, ELSEWHERE, who=BOB))
    assert fold.found == []
    fold.learn(seen(25, "192.0.2.0/24", who=BOB))
    assert [alert.people for alert in fold.alerts] == [(BOB,)]


def test_two_weeks_later_a_place_is_unfamiliar_again() -> None:
    days = [seen(0, ELSEWHERE), *(seen(day) for day in range(1, 16))]
    before, after = Fold("UnfamiliarPlace", learning="1s"), Fold("UnfamiliarPlace", learning="1s")
    before.learn(*days[:15], seen(14.1, ELSEWHERE))
    after.learn(*days, seen(15.1, ELSEWHERE))
    assert (len(before.alerts), len(after.alerts)) == (0, 1)


def test_a_holiday_makes_no_office_unfamiliar() -> None:
    fold = known(*range(15))
    fold.learn(seen(60))
    assert fold.found == []


def test_private_ranges_are_never_told() -> None:
    fold = known(0, 2, 5, 8, 10, 14)
    fold.learn(seen(15, OFFICE))
    assert fold.found == []


def test_tokens_that_live_for_a_day_are_not_told() -> None:
    fold = Fold("UnfamiliarPlace")
    fold.learn(*(seen(day, credential=f"JTI={day}") for day in range(30)))
    assert fold.found == []


def test_people_who_move_about_have_no_familiar_networks() -> None:
    fold = known(0, 2, 5, 8, 10, 12)
    fold.learn(*(seen(13, f"192.0.{number}.0/24") for number in range(8)))
    fold.learn(seen(15, ELSEWHERE))
    assert fold.found == []


def test_a_record_that_comes_late_teaches_and_is_judged_by_what_is_known() -> None:
    fold = known(0, 2, 5, 8, 10, 14, 16)
    fold.learn(seen(14.1, ELSEWHERE))
    assert len(fold.alerts) == 1
    fold.learn(seen(16.1, ELSEWHERE))
    assert len(fold.alerts) == 1


def test_what_is_remembered_of_a_person_is_bounded() -> None:
    fold = known(0, 2, 5, 8, 10, 14)
    fold.learn(*(seen(14, f"192.0.{number}.0/24", f"JTI={number}") for number in range(3 * MOST_OF_A_KIND)))
    person = fold.detector._people.get(ALICE)  # type: ignore[attr-defined]
    assert len(person.networks._known) == len(person.credentials._known) == MOST_OF_A_KIND


def test_a_time_that_nobody_can_name_ends_nothing() -> None:
    fold = Fold("UnfamiliarPlace")
    at = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    call = a_call(caller=Caller(ALICE), at=at)
    fold.learn(person_seen(call, "main-activity", network=HOME, credential="", by=SeenBy.GRANT))
    assert fold.found == []
