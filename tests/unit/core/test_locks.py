"""What a lock covers, its sentence, and how much finding it costs."""

import time
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.access_lock import AccessLock, LockTarget
from curfew.api.access_request import AccessRequest
from curfew.core import lock_records, lock_status, locks
from curfew.core.locks import LockBook, Scope
from tests.support.builders import ALICE, BOB, CAROL, NOON, a_lock, a_request

LATER = NOON + timedelta(hours=1)


def lock(name: str = "lock", **spec: Any) -> AccessLock:
    body = a_lock(name, **spec)
    body["metadata"]["uid"] = f"uid-{name}"
    return AccessLock.model_validate(body)


def request(**spec: Any) -> AccessRequest:
    return AccessRequest.model_validate(a_request(**spec))


def covered(one: AccessLock, **spec: Any) -> bool:
    book = LockBook()
    book.put(one)
    return book.covering(locks.covers_request(request(**spec)), NOON) is not None


@pytest.mark.parametrize(
    ("target", "is_covered"),
    [
        ({"person": ALICE}, True),
        ({"person": ALICE.upper()}, True),
        ({"person": BOB}, False),
        ({"policy": "payments/debug"}, True),
        ({"policy": "payments/other"}, False),
        ({"policy": "shop/debug"}, False),
        ({"namespace": "payments"}, True),
        ({"namespace": "pay"}, False),
        ({"everything": True}, True),
        # The schema refuses these. What cannot be understood covers everything (promise P8).
        ({}, True),
        ({"person": BOB, "namespace": "shop"}, True),
    ],
)
def test_a_lock_covers_what_it_names(target: dict[str, Any], is_covered: bool) -> None:
    assert covered(lock(target=target)) is is_covered


def test_a_lock_on_a_person_covers_what_they_ask_for_others() -> None:
    assert covered(lock(), requester=BOB, submittedBy=ALICE)
    assert covered(lock(), requester=ALICE, submittedBy=BOB)


def test_a_name_is_the_same_in_each_form_of_its_accents() -> None:
    assert covered(lock(target={"person": "Zoë"}), requester="zoe\u0308", submittedBy="x")


def test_of_several_locks_the_one_that_ends_last_counts() -> None:
    book = LockBook()
    for name, end in (("a", "2026-11-23T12:30:00Z"), ("c", None), ("b", "2026-11-23T14:00:00Z")):
        book.put(lock(name, endsAt=end))
    targets = tuple(locks.covers_request(request()))

    def found(at: Any) -> str | None:
        one = book.covering(targets, at)
        return one.metadata.name if one is not None else None

    assert found(NOON) == "c"
    assert book.remove("uid-c") is not None
    assert found(NOON) == "b"
    book.put(lock("b", endsAt="2026-11-23T12:10:00Z"))
    assert found(NOON) == "a"
    assert found(NOON + timedelta(minutes=30)) is None
    assert book.remove("uid-a") is not None
    assert book.remove("uid-a") is None
    assert found(NOON) == "b"


def test_ten_thousand_locks_cost_no_more_than_one() -> None:
    book = LockBook()
    for number in range(10_000):
        book.put(lock(f"lock-{number}", target={"person": f"person-{number}"} if number % 2 else {"person": "one"}))
    targets = tuple(locks.covers_request(request(requester="person-9999", submittedBy="person-9999")))
    begun = time.process_time()
    found = {book.covering(targets, NOON) is not None for _ in range(10_000)}

    assert found == {True}
    assert time.process_time() - begun < 1  # looking at each lock would take minutes


def test_the_sentence_says_who_locked_what_until_when_and_why() -> None:
    assert locks.sentence(lock(endsAt="2026-11-23T14:00:00Z")) == (
        f"access of {ALICE} is locked (AccessLock lock of {CAROL}, until 2026-11-23T14:00:00Z): credentials leaked"
    )
    assert locks.sentence(lock(target={"policy": "payments/debug"})).startswith(
        "access under AccessPolicy payments/debug is locked"
    )


def test_the_sentence_is_short_however_long_everything_is() -> None:
    long = lock("n" * 253, target={"person": "p" * 512}, reason="r" * 512, submittedBy="s" * 512)

    assert len(locks.sentence(long)) <= locks.LONGEST_SENTENCE
    assert "rrr" in locks.sentence(long)


def test_what_the_log_holds_already_is_not_recorded_again() -> None:
    (created,) = lock_records.told(lock(), None, now=NOON, grants_ended=0)
    shorter = lock(endsAt="2026-11-23T14:00:00Z")
    (changed,) = lock_records.told(shorter, created, now=NOON, grants_ended=0)

    assert [created.event, changed.event] == ["lock.created", "lock.changed"]
    assert created.block["actor"] == CAROL
    assert changed.block["detail"]["ends_at"] == "2026-11-23T14:00:00Z"
    assert lock_records.told(lock(), created, now=NOON, grants_ended=0) == ()
    assert lock_records.told(shorter, changed, now=NOON, grants_ended=0) == ()
    (lifted,) = lock_records.told(shorter, changed, now=NOON + timedelta(hours=3), grants_ended=2)
    assert (lifted.event, lifted.at) == ("lock.lifted", NOON + timedelta(hours=2))
    assert lifted.block["detail"]["grants_ended"] == 2


def test_a_record_of_something_else_ends_no_process() -> None:
    (created,) = lock_records.told(lock(), None, now=NOON, grants_ended=0)
    assert lock_records.deleted_unseen(created, now=NOON) is not None
    broken = {**created.body, "unmapped": {"curfew": {**created.block, "detail": ["no", "object"]}}}
    assert lock_records.deleted_unseen(type(created)("x", "lock.created", "u", broken), now=NOON) is None


def test_a_status_that_shows_everything_is_not_written_again() -> None:
    one = lock()
    first = lock_status.shown(one, ended=2, now=NOON)
    assert first is not None
    assert (first["grantsEnded"], first["inForceSince"]) == (2, "2026-11-23T12:00:00Z")
    seen = one.model_copy(update={"status": type(one.status).model_validate(first)})
    assert lock_status.shown(seen, ended=0, now=NOON) is None
    again = lock_status.shown(seen, ended=1, now=LATER)
    assert again == {"grantsEnded": 3}


def test_the_scopes_are_the_fields_of_the_target() -> None:
    assert {str(scope) for scope in Scope} == set(LockTarget.model_fields)
