"""JSON of a source as values, however large or deep the bodies inside are that nobody here reads.

An audit policy may put whole objects into the events. Their owner can nest them deeper than a parser goes, or give them
more parts than fit into memory. So if a document is too much as it is, the bodies and all that lies deep are left out.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from curfew.audit.untrusted_json import TEXT, GivenRefused, TooManyValues, parse_given
from curfew.core.activity.formats.fields import part, wrong
from curfew.core.activity.formats.forms import EventRefused, Why

MOST_VALUES: Final = 500_000
"""Most values of a document: ten times those of a full batch (400 events) without bodies."""

LEVELS: Final = 4
"""Levels of an event that are needed: event, user, its extra fields, the values of one of them."""

_BODIES: Final = (b'"requestObject"', b'"responseObject"', b'"request"', b'"response"')
"""Names of the fields that hold bodies: the first two in Kubernetes' events, the others in Google's."""

_QUOTE: Final = ord('"')
_TOKEN: Final = re.compile(TEXT + rb"|[\[{]|[\]}]", re.DOTALL)


def parse_document(data: bytes, depth: int) -> Any:
    """Return the value of a JSON document, or raise `EventRefused`. If it is too much, `depth` levels of it without bodies."""
    try:
        return parse_given(data, MOST_VALUES)
    except GivenRefused:
        pass
    try:
        return parse_given(shallow(data, depth), MOST_VALUES)
    except TooManyValues as error:
        raise EventRefused(Why.TOO_LARGE, str(error)) from error
    except GivenRefused as error:
        raise EventRefused(Why.NOT_JSON, "it is not JSON") from error


def event_in(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the audit event that a field holds as an object, or as JSON in a text; or raise `EventRefused`."""
    value = of.get(name)
    if value is None:
        raise wrong(name)
    if not isinstance(value, str):
        return part(of, name)
    event = parse_document(value.encode(errors="replace"), LEVELS)
    if not isinstance(event, dict):
        raise EventRefused(Why.NOT_AN_EVENT, "it is no object")
    return event


def shallow(data: bytes, depth: int) -> bytes:
    """Return a JSON document without its bodies and without what lies deeper than `depth`: an empty text is in their place."""
    kept: list[bytes] = []
    level = begin = left_out = 0  # left_out: the level of what is being left out
    is_body = False
    for token in _TOKEN.finditer(data):
        sign = data[token.start()]
        if sign == _QUOTE:
            is_body = data.startswith(_BODIES, token.start())
        elif sign in b"[{":
            level += 1
            if not left_out and (is_body or level > depth):
                left_out = level
                kept += (data[begin : token.start()], b'""')
            is_body = False
        else:
            if left_out and level == left_out:
                left_out, begin = 0, token.end()
            level -= 1
    kept.append(data[begin:])
    return b"".join(kept) if level == 0 else data
