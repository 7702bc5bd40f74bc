"""One request, read record by record in the order of the log: how it ended, and its grant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from curfew.api.names import is_self_test
from curfew.audit.record import Record
from curfew.audit.stories import Told, decision_of, join, read
from curfew.evidence.grants import Mention, ReviewedGrant, Said, end_of


@dataclass(slots=True)
class Case:
    """A request whose records are being read."""

    told: Told = field(default_factory=dict)  # the story, joined from all records so far
    mentions: dict[str, Mention] = field(default_factory=dict)  # the first record of each event
    said: dict[tuple[str, str], Said] = field(default_factory=dict)  # each decision, by person and kind
    reviewed: Mention | None = None  # the first review of a broken glass by somebody else
    phase: str = ""  # the last one, from `request.closed`

    def take(self, record: Record, mention: Mention) -> None:
        """Take the next record about the request."""
        self.told = join(self.told, record)
        self.mentions.setdefault(mention.event, mention)
        made = decision_of(record)
        if made is not None:
            self._decide(made, record, mention)
        elif mention.event == "request.closed":
            self.phase = str(detail_of(record).get("phase", ""))
        for one in self.told.get("decisions", ()):
            by, decision, stage = one["by"], one["decision"], one.get("stage")
            self.said.setdefault((by, decision), Said(by, decision, str(stage or ""), "", mention.index))

    def _decide(self, made: tuple[str, str], record: Record, mention: Mention) -> None:
        (by, decision), effect = made, effect_of(record)
        self.said[by, decision] = Said(by, decision, str(detail_of(record).get("stage", "")), effect, mention.index)
        involved = (self.told.get("requester"), self.told.get("submitted_by"))
        if (decision, effect) == ("Review", "TookEffect") and by not in involved:
            self.reviewed = self.reviewed or mention

    @property
    def asked(self) -> Mention | None:
        """The record of the request's creation; None if the request is older than the log."""
        return self.mentions.get("request.created")

    @property
    def is_granted(self) -> bool:
        """Whether the request was granted."""
        return "grant.activated" in self.mentions

    @property
    def is_over(self) -> bool:
        """Whether the request's story is closed."""
        return "request.closed" in self.mentions

    @property
    def is_self_test(self) -> bool:
        """Whether Curfew made the request to test its admission policies. False if it was accepted or granted (promise P11)."""
        told = (str(self.told.get(name)) for name in ("namespace", "request", "submitted_by"))
        return is_self_test(*told) and not self.mentions.keys() & {
            "request.accepted",
            "grant.intended",
            "grant.activated",
        }

    @property
    def outcome(self) -> str:
        """How the request ended: its last phase, `Deleted` if it was deleted before its story was over, or `Open`.

        A broken glass is closed by its review. Until then, the end of its grant counts.
        """
        if self.phase:
            return self.phase
        if "request.deleted" in self.mentions:
            return "Deleted"
        end = end_of(self.mentions)
        if end is None:
            return "Open"
        return "Expired" if end.event == "grant.expired" else "Revoked"

    def grant(self) -> ReviewedGrant:
        """Return the access that the request was granted, or raise `RecordRefused` for a story that cannot be read."""
        is_whole = self.asked is not None  # then each decision has a record of its own in the log
        said = tuple(one for one in self.said.values() if one.effect or not is_whole)
        return ReviewedGrant(read(self.told), MappingProxyType(self.mentions), said, self.reviewed)


def effect_of(record: Record) -> str:
    """Return the effect of a decision, from its record."""
    return str(detail_of(record).get("effect", "TookEffect" if record.event == "review.submitted" else "Refused"))


def detail_of(record: Record) -> Mapping[str, Any]:
    """Return the record's detail that is specific to its event."""
    known = record.block.get("detail")
    return known if isinstance(known, Mapping) else {}
