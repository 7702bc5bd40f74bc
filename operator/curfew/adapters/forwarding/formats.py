"""The forms in which records are forwarded. Each holds the record byte by byte as in the log, and its place there."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from curfew.audit.canonical import parse_canonical
from curfew.audit.record import Record
from curfew.audit.segment import origin

TYPE_PREFIX = "dev.curfew."
"""The prefix of each CloudEvent's type; the event's name follows, for example `grant.activated`."""

_SEVERITIES = {1: (9, "INFO"), 3: (13, "WARN"), 4: (17, "ERROR")}  # OCSF's severity_id, and OpenTelemetry's


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A durable record to forward: its place in the log, its line there, and the time at which it became durable."""

    log: str
    index: int
    line: bytes
    since: datetime

    @property
    def record(self) -> Record:
        """The record, as the log holds it: with pseudonyms if the log has them."""
        return Record.parse(parse_canonical(self.line))


def stdout_line(one: Forwarded) -> bytes:
    """Return a line that cannot be confused with our log lines: those have no field `curfew`."""
    head = _inner({"curfew": "audit", "log": one.log, "index": one.index})
    return b"{" + head + b',"record":' + one.line + b"}\n"


def cloudevents(batch: Sequence[Forwarded]) -> bytes:
    """Return CloudEvents 1.0 in JSON batch format. An event's id is the record's id, so receivers see duplicates."""
    return b"[" + b",".join(_cloudevent(one) for one in batch) + b"]"


def otlp(batch: Sequence[Forwarded]) -> bytes:
    """Return an ExportLogsServiceRequest of OTLP/HTTP in JSON. The body of each log record is the record's line."""
    return json.dumps(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [_attribute("service.name", "curfew")]},
                    "scopeLogs": [
                        {"scope": {"name": "curfew.audit"}, "logRecords": [_log_record(one) for one in batch]}
                    ],
                }
            ]
        },
        ensure_ascii=False,
    ).encode()


def otlp_rejected(answer: bytes) -> int:
    """Return how many records of an accepted batch the collector did not take (OTLP's partial success)."""
    try:
        return int(json.loads(answer)["partialSuccess"]["rejectedLogRecords"])
    except (ValueError, KeyError, TypeError):
        return 0


@dataclass(frozen=True, slots=True)
class Format:
    """How a batch is encoded, its content type, and how to read from an answer that some records were not taken."""

    content_type: str
    render: Callable[[Sequence[Forwarded]], bytes]
    rejected: Callable[[bytes], int]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "cloudevents": Format("application/cloudevents-batch+json", cloudevents, lambda _: 0),
        "otlp": Format("application/json", otlp, otlp_rejected),
    }
)


def _cloudevent(one: Forwarded) -> bytes:
    record = one.record
    attributes = {
        "specversion": "1.0",
        "id": record.id,
        "source": origin(one.log),
        "type": TYPE_PREFIX + record.event,
        "subject": record.subject,
        "time": record.block["at"],
        "datacontenttype": "application/json",
        "sequence": f"{one.index:016d}",  # the CloudEvents extension `sequence`: its strings sort as the records do
    }
    return b"{" + _inner(attributes) + b',"data":' + one.line + b"}"


def _log_record(one: Forwarded) -> dict[str, Any]:
    record = one.record
    body = record.body
    number, text = _SEVERITIES[body["severity_id"]]
    attributes = {
        "curfew.log": one.log,
        "curfew.index": one.index,
        "curfew.id": record.id,
        "curfew.subject": record.subject,
        "curfew.actor": record.block["actor"],
        "curfew.message": body["message"],
    }
    return {
        "timeUnixNano": str(body["time"] * 1_000_000),
        "observedTimeUnixNano": str(int(one.since.timestamp() * 1_000_000) * 1_000),
        "severityNumber": number,
        "severityText": text,
        "eventName": TYPE_PREFIX + record.event,
        "body": {"stringValue": one.line.decode()},
        "attributes": [_attribute(key, value) for key, value in attributes.items()],
    }


def _attribute(key: str, value: str | int) -> dict[str, Any]:
    # In OTLP's JSON a 64-bit number is a string.
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def _inner(members: Mapping[str, str | int]) -> bytes:
    """Return the members of a JSON object without its braces."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
