"""A trail in a folder in which people hold grants now, for a monitor to follow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.logs import signer
from bench.stories import Company
from curfew.audit.record import CURFEW, Record, make_record
from curfew.audit.segment import Head, seal
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions

LOG: Final = "main"
LASTING: Final = timedelta(hours=1)


def granted(folder: Path, number: int, now: datetime) -> Sequence[Session]:
    """Write a trail in which so many grants have begun a minute ago, and return them."""
    records = [_opened(now)]
    company, sessions = Company(seed=11), Sessions()
    while len(sessions) < number:
        begun = _begun(company, now - timedelta(minutes=1))
        records += begun
        for record in begun:
            sessions.learn(record)
    at = records[-1].at
    stored, _ = seal(
        Head.genesis(LOG), [record.line() for record in records], at=at, writer="bench", signer=signer(LOG)
    )
    path = folder / Head.genesis(LOG).next_name()
    path.parent.mkdir(parents=True)
    path.write_bytes(stored)
    return sessions.all()


def _begun(company: Company, at: datetime) -> Sequence[Record]:
    """Return the beginning of a story, to the second at which the access is there; nothing if none was given."""
    told = [record for _, record in company.story(at, timedelta(0), LASTING)]
    events = [record.event for record in told]
    return told[: events.index("grant.activated") + 1] if "grant.activated" in events else ()


def _opened(at: datetime) -> Record:
    return make_record(
        "audit.opened",
        at=at - timedelta(minutes=2),
        actor=CURFEW,
        message=f"The log {LOG} begins.",
        subject=LOG,
        detail={"verifier_key": signer(LOG).verifier_key},
    )
