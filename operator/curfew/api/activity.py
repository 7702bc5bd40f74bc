"""`status.activity` of an AccessRequest: what was done with the access, and whether anything was changed."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from curfew.api.characters import LONGEST_NAME
from curfew.api.meta import Model
from curfew.api.times import WRITTEN, Time

MOST_OBJECTS = 20
MOST_SOURCES = 8
MOST_REASONS = 8

COUNTS = ("reads", "writes", "denied", "opaque", "derived", "standing")
"""The fields that count calls: a grant was used if one of them is not 0."""

WrittenTime = Annotated[Time, WithJsonSchema({"type": "string", "maxLength": 35, "pattern": WRITTEN})]
"""A time without a rule in CEL: the API server would apply it to what is stored, and refuse all of a status because of it."""


class Changes(StrEnum):
    """Whether anything was changed with the access. Unknown is not No: something could not be seen."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"


class Activity(Model):
    """What was done with the access, as the API server's audit events show it. Written by `curfew monitor` only."""

    changes: Changes = Field(
        description="Whether anything was changed with the access: Yes, No, or Unknown if something could not be seen."
    )
    summary: str = Field(default="", max_length=512, description="What was done, in one sentence of counted facts.")
    reasons: tuple[Annotated[str, Field(max_length=256)], ...] = Field(
        default=(),
        max_length=MOST_REASONS,
        description="Why the answer is Unknown.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    reads: int = Field(default=0, ge=0, description="Calls that read.")
    writes: int = Field(default=0, ge=0, description="Calls that changed something.")
    denied: int = Field(default=0, ge=0, description="Calls that were refused.")
    opaque: int = Field(
        default=0, ge=0, description="Connections whose content nobody sees: exec, attach, port-forward, proxies."
    )
    derived: int = Field(default=0, ge=0, description="Calls with tokens and from pods that were made with the access.")
    standing: int = Field(
        default=0,
        ge=0,
        description="Calls of the same person that other access allowed, and that this access would have allowed.",
    )
    changed: tuple[Annotated[str, Field(max_length=320)], ...] = Field(
        default=(),
        max_length=MOST_OBJECTS,
        description="Objects that were changed, such as deployments.apps/web; at most 20.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    sensitive: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        default=(),
        max_length=16,
        description="Kinds of sensitive access that happened, one CamelCase word each.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    sources: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        default=(),
        max_length=MOST_SOURCES,
        description="Addresses that calls came from; at most 8.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    remains: int = Field(
        default=0,
        ge=0,
        description="Objects that were made with the access, and that nobody was seen to delete and nobody keeps.",
    )
    kept_by: str | None = Field(
        default=None, max_length=LONGEST_NAME, description="Who decided to keep what was left behind."
    )
    kept_reason: str | None = Field(default=None, max_length=256, description="Why they keep it.")
    first_at: WrittenTime | None = Field(default=None, description="When the access was first used.")
    last_at: WrittenTime | None = Field(default=None, description="When it was last used.")
    final: bool = Field(
        default=False, description="Whether the access is over and its calls have all been seen or given up."
    )
    as_of: WrittenTime | None = Field(default=None, description="When this was written.")


def _none_if_unreadable(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


LenientActivity = Annotated[Activity | None, WrapValidator(_none_if_unreadable)]
"""What the operator reads: it decides nothing by it, so an activity that cannot be read must not make a request unreadable."""
