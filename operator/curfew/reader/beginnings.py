"""Finding where a log begins whose oldest segments were removed: by its own newest statement."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from curfew.audit.beginning import Beginning, claimed_in, first_gap
from curfew.audit.checkpoint import Verifier
from curfew.audit.places import place
from curfew.audit.segment import ChainBroken
from curfew.audit.segment_summary import open_summary
from curfew.audit.wording import count, in_utc
from curfew.ports import ObjectStore
from curfew.reader.source import read


@dataclass(frozen=True, slots=True)
class Claim:
    """An object that states where the log begins. Only a verified record can confirm the statement."""

    beginning: Beginning
    name: str
    stored: bytes

    def is_sealed_by(self, verifier: Verifier) -> bool:
        """Whether this key has signed the statement: if the key is trusted, nothing else must be read to believe it."""
        try:
            summary, _ = open_summary(self.name, self.stored, verifier, self.beginning.head.log)
        except ChainBroken:
            return False
        return self.beginning in summary.stated


async def find_claim(store: ObjectStore, log: str, names: Sequence[str]) -> Claim | None:
    """Return the beginning of a log whose old segments are missing, by its newest statement; None if it makes none.

    Also return None if the statement covers none of the missing segments. `names` are in order. They are read
    backwards: an operator that keeps its log for a limited time makes a statement each day.
    """
    ours = [name for name in names if place(log, name) >= 0]
    gap = first_gap(ours)
    if gap is None:
        return None
    async with aclosing(read(store, log, ours[::-1])) as objects:
        async for name, stored in objects:
            beginning = claimed_in(log, stored)
            if beginning is not None and beginning.segment <= place(log, name):
                return Claim(beginning, name, stored) if gap < beginning.segment else None
    return None


def kept(log: str, names: Sequence[str], claim: Claim | None) -> list[str]:
    """Return the names without those from before a log's beginning, which are ignored from then on."""
    if claim is None:
        return list(names)
    return [name for name in names if not 0 <= place(log, name) < claim.beginning.segment]


def in_words(beginning: Beginning) -> str:
    """Return, in words, where a log begins."""
    until = f", sealed after {in_utc(beginning.head.at)}" if beginning.head.at is not None else ""
    return f"with segment {beginning.segment:,} and record {beginning.record:,}{until}"


def meaning(beginning: Beginning) -> str:
    """Return the meaning of a beginning, as a sentence."""
    return (
        f"The log begins {in_words(beginning)}: the {count(beginning.record, 'record')} before that may be removed, "
        "as the log itself states, and are not shown. An earlier export still proves them (prove --export)."
    )
