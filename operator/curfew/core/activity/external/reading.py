"""Reads one line of another system, by its mapping. Lines come from outside: each text is bounded and masked."""

import hashlib
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from curfew.api.characters import LONGEST_NAME
from curfew.api.meta import shortened
from curfew.audit.untrusted_json import GivenRefused, parse_given
from curfew.core.activity.external.event import ExternalEvent, ExternalOutcome
from curfew.core.activity.external.mapping import LineMapping, Selectors, first_text
from curfew.core.activity.external.moments import parse_moment
from curfew.core.masking import mask

LONGEST_LINE: Final = 64 * 1024
"""Most bytes of a line."""

LONGEST_TEXT: Final = 256
"""Most characters of an action, an object or an id."""

FUTURE: Final = timedelta(minutes=5)
"""How far the clock of another system may be ahead."""


class LineRefusal(StrEnum):
    """Why a line became no record."""

    NOT_JSON = "NotJson"
    TOO_LONG = "TooLong"
    NO_TIME = "NoTime"
    FAR_TIME = "FarTime"
    NOT_SELECTED = "NotSelected"  # the mapping does not want it
    NO_SESSION = "NoSession"  # it belongs to no grant: most lines do not
    TOO_MANY_SESSIONS = "TooManySessions"  # it could belong to more grants than are recorded for one line


class LineRefused(Exception):
    """A line that is not used. `str(error)` is a clause for people, which may quote the line's time and nothing else."""

    def __init__(self, reason: LineRefusal, why: str) -> None:
        super().__init__(why)
        self.reason = reason


def lines_of(body: bytes) -> list[bytes]:
    """Return the lines of a body that hold something, without their ends."""
    return [line for line in (line.strip() for line in body.split(b"\n")) if line]


def read_line(line: bytes, mapping: LineMapping, now: datetime) -> ExternalEvent:
    """Return the event in a line, or raise `LineRefused`."""
    told = _parse(line)
    if not mapping.wants(told):
        raise LineRefused(LineRefusal.NOT_SELECTED, "the mapping leaves out such lines")
    person = _identifier(mapping.person, told, LONGEST_NAME)
    return ExternalEvent(
        system=mapping.system,
        line=hashlib.sha256(line).hexdigest(),
        at=_moment(told, mapping, now),
        person=person,
        user=mapping.names.get(person, person) if person is not None else None,
        action=_words(mapping.action, told),
        object=_words(mapping.object, told),
        outcome=_outcome(mapping, told),
        grant=_identifier(mapping.grant, told),
        ticket=_identifier(mapping.ticket, told),
        correlation=_identifier(mapping.correlation, told),
        address=_address(mapping.address, told),
    )


def check_length(line: bytes) -> None:
    """Raise `LineRefused` for a line that is too long to be read."""
    if len(line) > LONGEST_LINE:
        raise LineRefused(LineRefusal.TOO_LONG, f"it has more than {LONGEST_LINE:,} bytes")


def _parse(line: bytes) -> Mapping[str, Any]:
    check_length(line)
    try:
        told = parse_given(line)
    except GivenRefused as error:
        raise LineRefused(LineRefusal.NOT_JSON, str(error)) from error
    if not isinstance(told, dict):
        raise LineRefused(LineRefusal.NOT_JSON, "it is not a JSON object")
    return told


def _moment(told: Mapping[str, Any], mapping: LineMapping, now: datetime) -> datetime:
    text = mapping.time.text(told)
    if text is None:
        raise LineRefused(LineRefusal.NO_TIME, f"it has no time at {mapping.time.field}")
    try:
        at = parse_moment(text, mapping.time.format)
    except ValueError as error:
        raise LineRefused(LineRefusal.NO_TIME, shortened(mask(str(error)), LONGEST_TEXT)) from error
    if at > now + FUTURE:
        raise LineRefused(LineRefusal.FAR_TIME, f"its time is later than now: {text[:40]}")
    return at


def _outcome(mapping: LineMapping, told: Mapping[str, Any]) -> ExternalOutcome | None:
    text = mapping.outcome.text(told) if mapping.outcome is not None else None
    if mapping.outcome is None or text is None:
        return None
    if text in mapping.outcome.failure:
        return ExternalOutcome.FAILURE
    return ExternalOutcome.SUCCESS if text in mapping.outcome.success else None


def _identifier(selectors: Selectors, told: Mapping[str, Any], most: int = LONGEST_TEXT) -> str | None:
    """Return a text that is compared. One that is too long is cut, with a mark, so that it equals nothing."""
    text = first_text(selectors, told)
    return mask(shortened(text, most)) if text is not None else None


def _words(selectors: Selectors, told: Mapping[str, Any]) -> str | None:
    """Return a text for people, on one line."""
    text = first_text(selectors, told)
    if text is None:
        return None
    words = " ".join(text[: 2 * LONGEST_TEXT].split())
    if len(text) > 2 * LONGEST_TEXT:
        words = words.rpartition(" ")[0] + " \N{HORIZONTAL ELLIPSIS}"  # half a secret does not look like one
    return shortened(mask(words), LONGEST_TEXT) or None


def _address(selectors: Selectors, told: Mapping[str, Any]) -> str | None:
    try:
        return str(ipaddress.ip_address(first_text(selectors, told) or ""))
    except ValueError:
        return None
