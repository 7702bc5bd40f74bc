"""The tests of every grant: tests of details, applied to the whole population and shown for each sample.

Each test reads only the records, and nothing that Curfew claims about itself: anybody who has the log can repeat it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from curfew.evidence.account import REVIEW_WITHIN, Account
from curfew.evidence.exception_kinds import ExceptionKind
from curfew.evidence.grants import GrantMode, ReviewedGrant

ON_TIME = timedelta(seconds=60)
"""How late an end may be: enough for slow clocks and a busy cluster, and not more."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One test: a letter, what must hold, and the exception if it does not hold.

    `due` returns when a grant has to pass the test, or None if the test does not apply. `passes` returns whether the grant
    passes. `waits` returns whether the grant lacks a record that may still come.
    """

    letter: str
    claim: str
    kind: ExceptionKind
    due: Callable[[ReviewedGrant], datetime | None]
    passes: Callable[[ReviewedGrant], bool]
    waits: Callable[[ReviewedGrant], bool] = lambda grant: False


def _announced(grant: ReviewedGrant) -> bool:
    intended = grant.mentions.get("grant.intended")
    return intended is not None and intended.index < grant.activated.index


def _approved(grant: ReviewedGrant) -> bool:
    return bool(grant.approvers) and grant.mode is GrantMode.REVIEW


def _needs_approval(grant: ReviewedGrant) -> datetime | None:
    return None if grant.mode in (GrantMode.AUTOMATIC, GrantMode.BREAK_GLASS) else grant.began_at


def _pinned(grant: ReviewedGrant) -> bool:
    policy, role = grant.story.policy, grant.story.role
    return policy is not None and role is not None and bool(policy.uid and role.uid and role.rules_digest)


def _as_long_as_asked(grant: ReviewedGrant) -> bool:
    story = grant.story
    if story.expires_at is None or story.duration is None:
        return False
    return story.expires_at - (story.starts_at or grant.began_at) <= timedelta(seconds=story.duration)


def _has_end(grant: ReviewedGrant) -> bool:
    return grant.end is not None


def _must_end(grant: ReviewedGrant) -> datetime | None:
    """Return when the grant must be over at the latest. If it was over before that, it is judged at its end."""
    if grant.story.expires_at is None:
        return grant.ended_at or grant.began_at
    latest = grant.story.expires_at + ON_TIME
    return latest if grant.ended_at is None else min(latest, grant.ended_at)


def _has_to_be_on_time(grant: ReviewedGrant) -> datetime | None:
    """Return when the end is judged. A grant without an end in the log fails the other attribute, and not this one as well."""
    return _must_end(grant) if _has_end(grant) else None


def _on_time(grant: ReviewedGrant) -> bool:
    return grant.lateness is not None and grant.lateness <= ON_TIME


def _must_be_reviewed(grant: ReviewedGrant) -> datetime | None:
    if grant.mode is not GrantMode.BREAK_GLASS:
        return None
    deadline = grant.began_at + REVIEW_WITHIN
    return deadline if grant.reviewed is None else min(deadline, grant.reviewed.at)


def _reviewed(grant: ReviewedGrant) -> bool:
    return grant.reviewed is not None and grant.reviewed.at <= grant.began_at + REVIEW_WITHIN


ATTRIBUTES = (
    Attribute(
        "A",
        "It was announced in the log before the access existed",
        ExceptionKind.UNANNOUNCED,
        lambda g: g.began_at,
        _announced,
    ),
    Attribute(
        "B",
        "Somebody other than the requester and the submitter had approved it (grants that need approval)",
        ExceptionKind.UNAPPROVED,
        _needs_approval,
        _approved,
    ),
    Attribute(
        "C",
        "Policy and role were pinned by identity and content",
        ExceptionKind.UNPINNED,
        lambda g: g.began_at,
        _pinned,
    ),
    Attribute(
        "D",
        "It was granted for no longer than was requested",
        ExceptionKind.LONGER_THAN_ASKED,
        lambda g: g.began_at,
        _as_long_as_asked,
    ),
    Attribute("E", "Its end is in the log", ExceptionKind.END_MISSING, _must_end, _has_end, lambda g: not _has_end(g)),
    Attribute(
        "F", "It ended no later than 60 s after the promised end", ExceptionKind.LATE_END, _has_to_be_on_time, _on_time
    ),
    Attribute(
        "G",
        "Somebody else reviewed it within 24 hours (break glass)",
        ExceptionKind.NOT_REVIEWED,
        _must_be_reviewed,
        _reviewed,
        lambda g: g.reviewed is None,
    ),
)
"""All attributes, by letter."""


def verdict(attribute: Attribute, grant: ReviewedGrant, account: Account) -> bool | None:
    """Return whether a grant passes; None if it does not apply, is due outside the period, or may still pass.

    What is in the log is judged. The log's last time matters only for a record that is missing.
    """
    due = attribute.due(grant)
    if due is None or not account.period.has(due):
        return None
    if attribute.waits(grant) and (account.last_at is None or due > account.last_at):
        return None
    return attribute.passes(grant)


@dataclass(frozen=True, slots=True)
class Tested:
    """One attribute, tested on the whole population."""

    attribute: Attribute
    tested: int
    failed: tuple[ReviewedGrant, ...]


def examine(account: Account) -> Iterator[Tested]:
    """Test each attribute on every grant that it is due for in the period."""
    for attribute in ATTRIBUTES:
        verdicts = [(grant, verdict(attribute, grant, account)) for grant in account.grants]
        failed = tuple(grant for grant, passed in verdicts if passed is False)
        yield Tested(attribute, sum(passed is not None for _, passed in verdicts), failed)
