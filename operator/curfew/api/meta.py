"""The common parts of all our kinds: the base of the models, the metadata we read, and conditions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from curfew.api.times import Time

STORED_DEFAULT: Final = "stored-default"
"""Key of json_schema_extra: what the API server fills in if the field is absent, even an empty list; None: nothing.

A field that is added later has None: if the API server filled it in, the digests of terms that were pinned before would
change.
"""


class Model(BaseModel):
    """A frozen value with snake_case attributes and camelCase JSON.

    Unknown fields are ignored: what people may not write, the schema of the custom resource has refused already, and
    what a newer version has written must not stop an older one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class ObjectMeta(Model):
    """The part of an object's metadata that Curfew reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)


LONGEST_MESSAGE: Final = 1024
"""Most characters of a condition's message; a longer one is cut. The note of an Event has the same limit."""


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; if it was cut, it ends in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One observation of the object's state, for people and for tools that wait."""

    type: str = Field(
        max_length=64, description="Name of the condition, one CamelCase word, such as Ready. There is one of each."
    )
    status: ConditionStatus = Field(description="Whether the condition holds: True, False or Unknown.")
    reason: str = Field(
        max_length=64, description="Why, in one CamelCase word, for programs. It changes only with its meaning."
    )
    message: str = Field(max_length=LONGEST_MESSAGE, description="Why, in a sentence, for people.")
    last_transition_time: Time = Field(description="When the status last went from one value to another.")
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        description="The metadata.generation that this condition describes; it is out of date if the object's is newer.",
    )
