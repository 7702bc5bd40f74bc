"""The rotation of a log's key: one key hands the log over to the next, and both have signed the rotation.

The record of the rotation is the last of its segment, which the old key still seals; every segment after it is sealed
by the new key, whose proof is in the record. So a person who trusts the old key learns the new one from the log, and
the other way round; and nobody can hand a log over to a key whose holder has not offered it for this.
"""

import base64
from datetime import datetime

from curfew.audit.canonical import parse_canonical
from curfew.audit.checkpoint import KeyRefused, NoteRefused, Signer, Verifier, decode_base64
from curfew.audit.record import CURFEW, Record, RecordRefused, make_record
from curfew.audit.segment import TRAILER_BYTES, ChainBroken, Segment, unpack

EVENT = "audit.key_rotated"
"""The event of the record that hands a log over."""

_MARK = b'"event":"audit.key_rotated"'  # canonical JSON has no second way to write it


def rotation(log: str, *, at: datetime, old: Signer, new: Signer) -> Record:
    """Return the record that hands a log over from one key to another.

    It must be the last record of a segment that `old` seals; `new` seals all later segments. `at` is aware, in UTC.
    """
    return make_record(
        EVENT,
        at=at,
        actor=CURFEW,
        message=f"From here on the log {log} is signed by {new.verifier}, and no longer by {old.verifier}.",
        subject=log,
        qualifier=f"{old.verifier} {new.verifier} {at.isoformat()}",
        detail={
            "verifier_key": str(new.verifier),
            "previous_key": str(old.verifier),
            "proof": base64.b64encode(new.sign(statement(old.verifier, new.verifier))).decode(),
        },
    )


def statement(old: Verifier, new: Verifier) -> bytes:
    """Return the statement that the new key signs to offer itself as the successor of the old one."""
    return f"curfew key rotation v1\n{old}\n{new}\n".encode()


def successor(segment: Segment, verifier: Verifier) -> Verifier:
    """Return the key that seals the next segment after one that `verifier` opened: usually `verifier` itself.

    Raise `ChainBroken` for an invalid rotation: one that is not the last record of its segment, that does not hand over
    from the key that sealed it, or that the new key has not agreed to.
    """
    for index, line in enumerate(segment.lines, segment.first):
        if _MARK not in line or not _is_rotation(body := parse_canonical(line)):
            continue
        why = f"hands the log over to another key with record {index}, which is not valid"
        at_fault = range(index, index + 1)
        if index != segment.first + len(segment.lines) - 1:
            why += ": it is not the last record of its segment"
            raise ChainBroken(segment.seq, segment.name, why, at_fault)
        try:
            return _agreed(body, old=verifier)
        except KeyRefused as error:
            raise ChainBroken(segment.seq, segment.name, f"{why}: {error}", at_fault) from error
    return verifier


def predecessor(stored: bytes, verifier: Verifier) -> Verifier | None:
    """Return the key that, by the segment's own record, sealed it and handed the log over to `verifier`, or None.

    The statement comes from `verifier`, which signed the proof; `resume` checks whether the other key did seal the
    segment.
    """
    try:
        body = parse_canonical(unpack(stored[:-TRAILER_BYTES]).split(b"\n")[-3])
        if not _is_rotation(body):
            return None
        previous = Verifier.parse(str(_detail(body)["previous_key"]))
        return previous if _agreed(body, old=previous) == verifier else None
    except (ValueError, IndexError):
        return None


def _is_rotation(body: object) -> bool:
    try:
        return isinstance(body, dict) and Record.parse(body).event == EVENT
    except RecordRefused:
        return False


def _detail(body: dict[str, object]) -> dict[str, object]:
    detail = Record.parse(body).block.get("detail")
    if not isinstance(detail, dict) or {
        type(detail.get(name)) for name in ("verifier_key", "previous_key", "proof")
    } != {str}:
        raise KeyRefused("it does not name both keys and the proof")
    return detail


def _agreed(body: dict[str, object], old: Verifier) -> Verifier:
    """Return the new key of a rotation away from `old`, or raise `KeyRefused` if not both keys have agreed."""
    detail = _detail(body)
    new = Verifier.parse(str(detail["verifier_key"]))
    if detail["previous_key"] != str(old):
        raise KeyRefused(f"it replaces key {detail['previous_key']}, but {old} sealed the segment")
    if new.name != old.name or new == old:
        raise KeyRefused(f"{new} cannot follow {old}")
    try:
        new.check(decode_base64(str(detail["proof"]), "the proof"), statement(old, new))
    except NoteRefused as error:
        raise KeyRefused(f"the new key has not agreed to it: {error}") from error
    return new
