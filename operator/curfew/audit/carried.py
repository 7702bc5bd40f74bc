"""What the log carries forward: from time to time, a set of records that lists each open story, existing policy and lock.

A start reads back to the newest complete set, and needs nothing older. A set has one or more records, its parts. Each
part is true at its own place in the log. So a reader of the parts and of all records between and after them, in order,
knows every open story. A story is stored without the fields that are not needed to end or to close it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.audit.canonical import canonical
from curfew.audit.receipt import Receipt
from curfew.audit.record import CURFEW, Record, RecordRefused, make_record

STORIES_OPEN = "audit.stories_open"

PART_BYTES = 64 * 1024
"""The size at which the next part begins; a single story is taken however large it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """A record of an open story that the log holds: it is not written again, however long the story lasts."""

    id: str
    index: int  # the index of the record in the log
    actor: str  # its id is the hash of a text that may hold this name


@dataclass(frozen=True, slots=True)
class CarriedStory:
    """An open story: its last milestone, the announcement of its grant, and which of its records the log holds."""

    latest: Record
    intent: Record | None = None
    receipt: Receipt | None = None  # the receipt of the announcement
    told: tuple[Told, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the story in the form in which a part of a set holds it."""
        records = [self.latest] if self.intent in (None, self.latest) else [self.latest, self.intent]
        entry: dict[str, Any] = {
            "records": [dict(record.body) for record in records if record is not None],
            "told": [{"actor": one.actor, "id": one.id, "index": one.index} for one in self.told],
        }
        if self.receipt is not None:
            entry["receipt"] = self.receipt.to_json()
        return entry

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "CarriedStory":
        """Read a story back. Raise `RecordRefused`, `KeyError`, `TypeError` or `ValueError` for anything else."""
        latest, *rest = [Record.parse(body) for body in entry["records"]]
        receipt = Receipt.from_json(entry["receipt"]) if "receipt" in entry else None
        intent = rest[0] if rest else latest if receipt is not None else None
        told = tuple(Told(str(one["id"]), int(one["index"]), str(one["actor"])) for one in entry["told"])
        return cls(latest, intent, receipt, told)


@dataclass(frozen=True, slots=True)
class Part:
    """One record of a set, after it was read back."""

    set: str
    number: int  # 0 for the first part
    is_last: bool
    began: datetime  # when the set was begun, by the writer's clock
    since: datetime  # every open story that was opened later than this is in the set
    stories: tuple[CarriedStory, ...]
    policies: tuple[Record, ...]
    locks: tuple[Record, ...] = ()
    keys: tuple[str, ...] = ()  # the keys that have sealed the log, in order; the first part has them

    @classmethod
    def of(cls, record: Record) -> "Part":
        """Read a part back from its record, or raise `RecordRefused`."""
        try:
            told = record.block["detail"]
            return cls(
                set=str(told["set"]),
                number=int(told["part"]),
                is_last=told["last"] is True,
                began=datetime.fromisoformat(told["began"]),
                since=datetime.fromisoformat(told["since"]),
                stories=tuple(CarriedStory.of(entry) for entry in told["stories"]),
                policies=tuple(Record.parse(body) for body in told["policies"]),
                locks=tuple(Record.parse(body) for body in told.get("locks", ())),
                keys=tuple(map(str, told.get("keys", ()))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RecordRefused(f"record {record.id} carries stories that cannot be read: {error}") from error


def cut(record: Record) -> Record:
    """Return a record without two things that a carried story does not need: the role's rules and decisions' reasons."""
    block = dict(record.block)
    block.pop("source", None)
    if "story" in block:
        decisions = block["story"].get("decisions", ())
        short = [{key: part for key, part in one.items() if key != "reason"} for one in decisions]
        block["story"] = {**block["story"], **({"decisions": short} if short else {})}
    if "rules" in block.get("detail", {}):
        block["detail"] = {key: part for key, part in block["detail"].items() if key != "rules"}
    body = {
        "message": record.message,
        "metadata": {"uid": record.id},
        "time": record.body["time"],
        "unmapped": {"curfew": block},
    }
    return Record(record.id, record.event, record.subject, body)


def make_part(
    log: str,
    *,
    set_: str,
    number: int,
    is_last: bool,
    began: datetime,
    since: datetime,
    at: datetime,
    stories: Sequence[CarriedStory],
    policies: Sequence[Record],
    locks: Sequence[Record] = (),
    keys: Sequence[str] = (),
) -> Record:
    """Return one record of a set."""
    count = f"{len(stories)} open {'story' if len(stories) == 1 else 'stories'}"
    known = f"{len(policies)} {'policy' if len(policies) == 1 else 'policies'}"
    if locks:
        count = f"{count}, {len(locks)} {'lock' if len(locks) == 1 else 'locks'}"
    return make_record(
        STORIES_OPEN,
        at=at,
        actor=CURFEW,
        message=f"The log carries forward {count} and {known} (part {number + 1}{', the last' if is_last else ''}).",
        subject=log,
        qualifier=f"{set_}/{number}",
        detail={
            "set": set_,
            "part": number,
            "last": is_last,
            "began": began.isoformat(),
            "since": since.isoformat(),
            "stories": [story.to_json() for story in stories],
            "policies": [dict(policy.body) for policy in policies],
            **({"locks": [dict(lock.body) for lock in locks]} if locks else {}),
            **({"keys": list(keys)} if keys else {}),
        },
    )


def size_of(items: Iterable[CarriedStory | Record]) -> int:
    """Return how many bytes these items take in a part."""
    return sum(len(canonical(item.to_json() if isinstance(item, CarriedStory) else item.body)) for item in items)
