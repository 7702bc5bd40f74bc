"""A witness: the state of a log that a person keeps after verifying it, to verify only the newer part later.

It holds the state after the last segment, the keys, and the signed checkpoint of that segment. So it is an anchor too.
Its checksum protects it against accidents; its keeper must protect it against people.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.audit.beginning import Beginning
from curfew.audit.canonical import canonical
from curfew.audit.checkpoint import KeyRefused, NoteRefused, Verifier, open_note
from curfew.audit.findings import Verified
from curfew.audit.merkle import CompactRange
from curfew.audit.segment import Head
from curfew.audit.succession import Tenure
from curfew.audit.untrusted_json import fields, instant

SCHEMA = "curfew.witness/v1"


class WitnessRefused(ValueError):
    """A value that is no witness, or an altered one. `str(error)` completes "it cannot be used: ..."."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A log up to one of its segments, as it was verified."""

    head: Head  # the state after that segment
    newest: str  # the name of that segment
    note: str  # the signed checkpoint in its seal
    trusted: Verifier  # the key that it was verified with
    key_was_given: bool  # the key was given, and not only named by the log itself
    keys: tuple[Tenure, ...]  # which key has sealed which part
    following: Verifier  # the key that must have sealed the next segment
    segments: int
    heartbeats: int
    first_at: datetime  # when the first segment was sealed
    stated: Beginning | None = None  # where the log may begin, by the newest of its own statements

    @classmethod
    def of(cls, verified: Verified, trusted: Verifier, *, key_was_given: bool) -> "Witness | None":
        """Return the witness of a log that was verified and is whole, or None for one without segments."""
        if verified.newest is None or verified.note is None or verified.first_at is None:
            return None
        return cls(
            verified.head,
            verified.newest,
            verified.note,
            trusted,
            key_was_given,
            verified.keys,
            verified.following,
            verified.segments,
            verified.heartbeats,
            verified.first_at,
            verified.stated,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the witness as JSON."""
        if self.head.at is None:
            raise ValueError("a witness has seen a segment")
        told = {
            "schema": SCHEMA,
            "log": self.head.log,
            "trusted": str(self.trusted),
            "keyWasGiven": self.key_was_given,
            "keys": [{"key": str(one.verifier), "segment": one.segment, "record": one.record} for one in self.keys],
            "next": str(self.following),
            "segment": self.head.seq,
            "name": self.newest,
            "object": self.head.object_hash.hex(),
            "size": self.head.range.size,
            "hashes": [hash_.hex() for hash_ in self.head.range.hashes],
            "at": self.head.at.isoformat(),
            "segments": self.segments,
            "heartbeats": self.heartbeats,
            "firstAt": self.first_at.isoformat(),
            "checkpoint": self.note,
        }
        told |= {"stated": self.stated.to_json()} if self.stated is not None else {}
        return {**told, "sum": _sum(told)}

    @classmethod
    def from_json(cls, value: Any) -> "Witness":
        """Read what `to_json` wrote, or raise `WitnessRefused`."""
        if not isinstance(value, Mapping) or value.get("schema") != SCHEMA:
            raise WitnessRefused(f"it is not a saved state of a log ({SCHEMA})")
        try:
            return cls._of(value)
        except WitnessRefused:
            raise
        except (KeyRefused, NoteRefused, ValueError, LookupError, TypeError) as error:
            raise WitnessRefused(f"it is not a saved state of a log: {error}") from error

    @classmethod
    def _of(cls, value: Mapping[str, Any]) -> "Witness":
        fields(value, _FIELDS, "the state")
        told = {name: part for name, part in value.items() if name != "sum"}
        if value.get("sum") != _sum(told):
            raise WitnessRefused("it was altered or cut short since it was saved: its checksum differs")
        at = instant(told["at"], "at")
        tree = CompactRange(told["size"], tuple(map(bytes.fromhex, told["hashes"])))
        witness = cls(
            Head(told["log"], told["segment"], bytes.fromhex(told["object"]), at.date(), tree, at),
            told["name"],
            told["checkpoint"],
            Verifier.parse(told["trusted"]),
            told["keyWasGiven"],
            tuple(_tenure(one) for one in told["keys"]),
            Verifier.parse(told["next"]),
            told["segments"],
            told["heartbeats"],
            instant(told["firstAt"], "firstAt"),
            Beginning.of(told["log"], told["stated"]) if "stated" in told else None,
        )
        if open_note(witness.note, witness.keys[-1].verifier) != witness.head.checkpoint:
            raise WitnessRefused("its checkpoint belongs to another tree")
        return witness


_FIELDS = {
    **dict.fromkeys(("log", "trusted", "next", "name", "object", "at", "firstAt", "checkpoint", "sum"), str),
    **dict.fromkeys(("segment", "size", "segments", "heartbeats"), int),
    "keyWasGiven": bool,
    "keys": list,
    "hashes": list,
}


def _tenure(value: object) -> Tenure:
    told = fields(value, {"key": str, "segment": int, "record": int}, "a key")
    return Tenure(Verifier.parse(told["key"]), told["segment"], told["record"])


def _sum(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(told))).hexdigest()
