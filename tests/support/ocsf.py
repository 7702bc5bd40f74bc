"""Whether records are what OCSF 1.8 says, and hold what the catalogue says."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from curfew.audit.events import EVENTS
from curfew.audit.record import Record

SCHEMA = json.loads((Path(__file__).parents[1] / "vectors" / "ocsf-1.8.0.schema.json").read_text())
CLASSES = {
    2004: "class:detection_finding",
    3004: "class:entity_management",
    3005: "class:user_access",
    6003: "class:api_activity",
}


@cache
def _validator(class_uid: int) -> Any:
    schema = {"$schema": SCHEMA["$schema"], "$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{CLASSES[class_uid]}"}
    return jsonschema.Draft202012Validator(schema)


def validate(record: Record) -> None:
    """Raise unless a record, as it stands in the log, is an OCSF event and has no detail that the catalogue does not name."""
    body = json.loads(record.line())
    _validator(body["class_uid"]).validate(body)
    unknown = set(record.block.get("detail", ())) - set(EVENTS[record.event].detail)
    assert not unknown, f"{record.event} has details that are not in the catalogue: {sorted(unknown)}"
