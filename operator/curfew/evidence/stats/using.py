"""What was done with what was granted: grants without a call, roles asked for again and again, rules that are used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from curfew.api.activity import COUNTS
from curfew.audit.record import Record
from curfew.evidence.stats.groups import cut, grouped
from curfew.evidence.stats.journey import GRANTED, RequestJourney, part
from curfew.evidence.stats.table import Cell, CellKind, StatsColumn, StatsTable, number
from curfew.evidence.stats.times import local

AGAIN: Final = 3
"""How often one person asks for one role in one namespace before that is listed."""


@dataclass(frozen=True, slots=True)
class UsedRules:
    """How many permissions the grants of a policy gave, and how many of them allowed a call that was made."""

    policy: str  # NAMESPACE/NAME
    grants: int
    permissions: int  # a permission is one verb on one resource
    used: int


def was_unused(record: Record) -> bool | None:
    """Whether the monitor's answer about a grant shows no call; None if it is not final, or does not know."""
    told = part(record, "detail")
    if told.get("final") is not True:
        return None
    if any(number(told.get(name)) for name in COUNTS):
        return False
    return True if told.get("changes") == "No" else None


def unused_tables(
    granted: Sequence[RequestJourney], answers: Mapping[str, bool], most: int
) -> tuple[StatsTable, StatsTable]:
    """Return by policy, and by person and policy, which grants were not used. `answers` has what is known, by UID."""
    rows = [
        _unused_row((policy,), found, answers) for policy, found in grouped(granted, lambda one: one.policy).items()
    ]
    shown, others, rest = cut(rows, most, by=lambda row: number(row[3]), numbers=(1, 2, 3, 4))
    by_policy = StatsTable(
        "unused",
        "Grants that nobody used",
        (StatsColumn("policy", "policy", CellKind.TEXT), *_UNUSED),
        shown,
        others,
        rest,
        "Known: the monitor's answer is final, and it can tell whether there was a call.",
    )
    people = grouped(granted, lambda one: (one.requester, one.policy))
    by_person = [row for key, found in people.items() if number((row := _unused_row(key, found, answers))[4]) > 0]
    shown, others, rest = cut(by_person, most, by=lambda row: number(row[4]), numbers=(2, 3, 4, 5))
    return by_policy, StatsTable(
        "unused_by_person",
        "Who did not use what was granted",
        (StatsColumn("person", "person", CellKind.TEXT), StatsColumn("policy", "policy", CellKind.TEXT), *_UNUSED),
        shown,
        others,
        rest,
    )


_UNUSED: Final = (
    StatsColumn("grants", "grants"),
    StatsColumn("known", "known"),
    StatsColumn("unused", "unused"),
    StatsColumn("share", "of known", CellKind.SHARE),
)


def _unused_row(key: tuple[str, ...], found: Sequence[RequestJourney], answers: Mapping[str, bool]) -> tuple[Cell, ...]:
    known = [answers[one.uid] for one in found if one.uid in answers]
    return (*key, len(found), len(known), sum(known), (sum(known), len(known)))


def again_table(asked: Iterable[RequestJourney], zone: tzinfo, most: int) -> StatsTable:
    """Return which roles the same people ask for again and again in the same namespace."""
    rows: list[tuple[Cell, ...]] = [
        (
            *key,
            len(found),
            sum(one.outcome == GRANTED for one in found),
            len({local(one.created, zone).date() for one in found}),
        )
        for key, found in grouped(asked, lambda one: (one.requester, one.role, one.namespace)).items()
        if len(found) >= AGAIN and one_role(key)
    ]
    shown, others, rest = cut(rows, most, by=lambda row: number(row[3]), numbers=(3, 4))
    return StatsTable(
        "again",
        "Roles that are asked for again and again",
        (
            StatsColumn("person", "person", CellKind.TEXT),
            StatsColumn("role", "role", CellKind.TEXT),
            StatsColumn("namespace", "namespace", CellKind.TEXT),
            StatsColumn("requests", "requests"),
            StatsColumn("granted", "granted"),
            StatsColumn("days", "on days"),
        ),
        shown,
        others,
        rest,
        f"One person, one role, one namespace: at least {AGAIN} requests.",
    )


def one_role(key: tuple[str, str, str]) -> bool:
    """Whether it is known which role was asked for: a request that is rejected at once has none."""
    return bool(key[1])


def used_table(found: Iterable[UsedRules], most: int) -> StatsTable:
    """Return by policy how many of the permissions that were granted were used."""
    rows: list[tuple[Cell, ...]] = [
        (one.policy, one.grants, one.permissions, one.used, (one.used, one.permissions)) for one in found
    ]
    shown, others, rest = cut(rows, most, by=lambda row: number(row[2]) - number(row[3]), numbers=(1, 2, 3, 4))
    return StatsTable(
        "used",
        "How much of what was granted was used",
        (
            StatsColumn("policy", "policy", CellKind.TEXT),
            StatsColumn("grants", "grants"),
            StatsColumn("permissions", "permissions"),
            StatsColumn("used", "used"),
            StatsColumn("share", "share", CellKind.SHARE),
        ),
        shown,
        others,
        rest,
        "A permission is one verb on one resource. curfew audit advise prints the role that would have been enough.",
    )
