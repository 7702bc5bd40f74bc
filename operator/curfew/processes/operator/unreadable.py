"""Objects that the API server accepted and that Curfew cannot read."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError


class Unreadable(Exception):
    """An object that the schema should have refused. `str(error)` names the object and what is wrong with it."""

    def __init__(self, kind: str, body: Mapping[str, Any], error: ValidationError) -> None:
        self.body = body
        self.problems = _problems(error)
        meta = body["metadata"]
        self.name = "/".join(str(meta[part]) for part in ("namespace", "name") if meta.get(part))
        super().__init__(f"{kind} {self.name}: {self.problems}")


def _problems(error: ValidationError) -> str:
    """Return what is wrong in which field, without the field's value: it may be anything."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)
