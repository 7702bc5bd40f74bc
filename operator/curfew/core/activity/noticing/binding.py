"""RoleBindings and ClusterRoleBindings: as the API server has them, and those that are outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from curfew.api.characters import LONGEST_NAME
from curfew.api.times import parse_time
from curfew.core.activity.formats.bounds import MOST_PART
from curfew.core.activity.formats.fields import bounded

KINDS: Final[Mapping[str, str]] = {"RoleBinding": "rolebindings", "ClusterRoleBinding": "clusterrolebindings"}
"""The kinds of bindings, each with its resource."""

MOST_SUBJECTS: Final = 1_000
"""How many subjects of a binding are read."""

MOST_SHOWN: Final = 20
"""How many of them a record names."""


@dataclass(frozen=True, slots=True)
class BindingKey:
    """Which binding: names can be used again, so it need not be the same one for ever."""

    kind: str  # RoleBinding or ClusterRoleBinding
    namespace: str  # empty for a ClusterRoleBinding
    name: str


@dataclass(frozen=True, slots=True)
class SeenBinding:
    """A binding as it was read. All texts are bounded."""

    key: BindingKey
    uid: str
    role_kind: str
    role: str
    subjects: tuple[str, ...]  # "User alice", "Group team" or "ServiceAccount namespace/name", the first ones
    more_subjects: int  # how many there are besides
    made_at: datetime | None  # aware, in UTC

    @classmethod
    def of(cls, kind: str, body: Mapping[str, Any]) -> "SeenBinding | None":
        """Read what the API server answers; None for what is no binding."""
        meta, role, subjects = body.get("metadata"), body.get("roleRef"), body.get("subjects") or []
        if not isinstance(meta, Mapping) or not isinstance(role, Mapping) or not isinstance(subjects, list):
            return None
        key = BindingKey(kind, _text(meta, "namespace") if kind == "RoleBinding" else "", _text(meta, "name"))
        if not key.name or not _text(meta, "uid"):
            return None
        return cls(
            key=key,
            uid=_text(meta, "uid"),
            role_kind=_text(role, "kind"),
            role=_text(role, "name"),
            subjects=tuple(_subject(one, key.namespace) for one in subjects[:MOST_SUBJECTS]),
            more_subjects=max(0, len(subjects) - MOST_SUBJECTS),
            made_at=_time(_text(meta, "creationTimestamp")),
        )


@dataclass(frozen=True, slots=True)
class OutsideBinding:
    """A binding that gives a governed role to somebody, and is no grant."""

    kind: str  # RoleBinding or ClusterRoleBinding
    namespace: str  # empty for a ClusterRoleBinding
    name: str
    uid: str
    role: str  # kind and name with a slash between: ClusterRole/payments-debug
    subjects: tuple[str, ...]  # the first of those that nothing allows
    more_subjects: int  # how many there are besides
    made_at: datetime | None  # aware, in UTC

    @classmethod
    def read_back(cls, detail: Mapping[str, Any]) -> "OutsideBinding | None":
        """Read a binding from the detail of its record; None if another version wrote it in another way."""
        subjects, more, made = detail.get("subjects", []), detail.get("more_subjects", 0), detail.get("made_at", "")
        if not isinstance(subjects, list) or type(more) is not int or not isinstance(made, str):
            return None
        texts = {name: detail.get(name, "") for name in ("kind", "namespace", "name", "uid", "role")}
        if not all(isinstance(text, str) for text in texts.values()):
            return None
        return cls(**texts, subjects=tuple(map(str, subjects)), more_subjects=more, made_at=_time(made))

    @property
    def key(self) -> BindingKey:
        """Which binding it is."""
        return BindingKey(self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.kind} {self.name}" + (f" in {self.namespace}" if self.namespace else "")


def _text(of: Mapping[str, Any], name: str) -> str:
    value = of.get(name)
    return bounded(value, MOST_PART) if isinstance(value, str) else ""


def _subject(subject: object, home: str) -> str:
    if not isinstance(subject, Mapping):
        return ""
    kind, name = _text(subject, "kind"), subject.get("name")
    name = bounded(name, LONGEST_NAME) if isinstance(name, str) else ""
    if kind == "ServiceAccount":
        name = f"{_text(subject, 'namespace') or home}/{name}"
    return f"{kind} {name}"


def _time(text: str) -> datetime | None:
    try:
        at = parse_time(text) if text else None
        return at.astimezone(UTC) if at is not None else None
    except (ValueError, OverflowError):
        return None
