"""A notice: what has happened to an object, told once, for people who watch Kubernetes Events."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that a notice is about."""

    api_version: str
    kind: str
    name: str
    namespace: str  # empty for a cluster-scoped object
    uid: str  # empty where it is not known


@dataclass(frozen=True, slots=True)
class Notice:
    """One Event: past tense, about one object, told once. Never the audit trail."""

    namespace: str  # where the Event is stored
    regarding: Regarding
    type: Literal["Normal", "Warning"]
    reason: str  # one CamelCase word, as in the condition and the record
    action: str  # what Curfew did, one CamelCase word
    note: str  # a sentence for people, at most 1,024 characters
    key: str  # unique within the object: telling the same thing twice makes one Event
