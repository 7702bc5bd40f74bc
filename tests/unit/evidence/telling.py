"""Short logs about one grant, and what a report finds in them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.audit.walk import Walk
from curfew.evidence.account import Account, Ledger
from curfew.evidence.exception_kinds import Exceptional
from curfew.evidence.findings import find
from curfew.evidence.period import Period
from tests.support.logs import ALog, opened
from tests.support.quarter import Timed, about_log, company

PERIOD = Period("2026-Q3", datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
BEFORE = datetime(2026, 6, 30, 12, tzinfo=UTC)
AFTER = datetime(2026, 10, 3, tzinfo=UTC)
BEAT = timedelta(hours=12)
"""How often these logs show a sign of life."""


def attested(at: datetime = BEFORE, *, sufficient: bool = True) -> Timed:
    """Return the record of an attestation."""
    return at, about_log("audit.attested", at, {"evidence": "lock" if sufficient else "none", "sufficient": sufficient})


def granted(at: datetime = NOON, **wrong: Any) -> list[Timed]:
    """Return the records of one grant."""
    return list(company().granted(at, **wrong))


def told(
    records: Sequence[Timed] = (),
    *,
    begin: datetime = BEFORE,
    end: datetime = AFTER,
    hole: tuple[datetime, datetime] | None = None,
    first: Timed | None = None,
) -> Account:
    """Return what a log tells that holds these records, and nothing in the hole."""
    log = ALog()
    log.append([opened(log.signer)], begin)
    waiting = sorted([first or attested(begin), *records], key=lambda one: one[0])
    at = begin
    while (at := at + BEAT) <= end:
        if hole is not None and hole[0] < at < hole[1]:
            continue
        log.append([record for when, record in waiting if when <= at], at)
        waiting = [one for one in waiting if one[0] > at]
    ledger = Ledger("main", PERIOD, BEAT)
    walk = Walk("main", log.verifier, accepted=ledger.take)
    for name, stored in log.objects.items():
        walk.take(name, stored)
    assert not walk.finish().findings
    return ledger.account()


def exceptions(account: Account, now: datetime = AFTER) -> list[Exceptional]:
    """Return what a report lists."""
    return list(find(account, now=now))


def kinds(account: Account, now: datetime = AFTER) -> list[str]:
    """Return the kinds of what a report lists."""
    return [str(one.kind) for one in exceptions(account, now)]
