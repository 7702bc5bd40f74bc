"""Where the lines of one system have what we want to know: the form of a mapping file.

Patterns are RE2, as everywhere: the lines come from outside, and RE2 takes linear time for whatever they hold
(decision 0008).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic.alias_generators import to_camel

from curfew.core.activity.external.fields import FieldPath, parse_path, text_of, value_at
from curfew.core.activity.external.moments import MomentFormat
from curfew.core.checks import compile_pattern

LONGEST_PATTERN: Final = 1000
"""Most characters of a pattern."""

_RESERVED: Final = frozenset({"kubernetes", "curfew"})  # the names under which records of our own are found


def _a_path(text: str) -> str:
    parse_path(text)
    return text


def _a_pattern(text: str) -> str:
    pattern = compile_pattern(text) if len(text) <= LONGEST_PATTERN else None
    if pattern is None:
        raise ValueError(f"is not a pattern in RE2's syntax of up to {LONGEST_PATTERN:,} characters")
    if "value" not in pattern.groupindex:
        raise ValueError("does not show what to take; put it into a group, such as curfew-(?P<value>[0-9a-f-]{36})")
    return text


def _no_name_of_ours(name: str) -> str:
    if name in _RESERVED:
        raise ValueError(f"is {name}, whose records are others; write the name of the other system")
    return name


def _as_list(value: Any) -> Any:
    """Read one item as a list of it, and a bare path as a selector without a pattern."""
    items = value if isinstance(value, list | tuple) else [value]
    return [{"field": item} if isinstance(item, str) else item for item in items]


def _as_texts(value: Any) -> Any:
    """Read numbers and truth values, which YAML does not load as text, as JSON writes them."""
    items = value if isinstance(value, list | tuple) else [value]
    return [text_of(item) if isinstance(item, bool | int | float) else item for item in items]


def _as_paths(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("is no table; write a path and the values that are wanted, such as kind: [login, logout]")  # noqa: TRY004  pydantic takes no other
    for path, wanted in value.items():
        texts = _as_texts(wanted)
        if not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"has no list of texts at {path}; write, for example, [login, logout]")
        parse_path(str(path))
    return {str(path): _as_texts(wanted) for path, wanted in value.items()}


def _a_format(value: Any) -> Any:
    if value not in tuple(MomentFormat):
        raise ValueError(f"is {value!r}; write one of {', '.join(MomentFormat)}")
    return value


_Path = Annotated[str, AfterValidator(_a_path)]
_Texts = Annotated[frozenset[str], BeforeValidator(_as_texts)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class FieldSelector(_Part):
    """Takes a text from a line: the field's whole value, or what the group `value` of a pattern matches in it."""

    field: _Path = Field(examples=["user.name"])
    pattern: Annotated[str, AfterValidator(_a_pattern)] | None = Field(default=None, examples=["^id=(?P<value>[0-9]+)"])

    @cached_property
    def _steps(self) -> FieldPath:
        return parse_path(self.field)

    @cached_property
    def _compiled(self) -> Any:
        return compile_pattern(self.pattern) if self.pattern is not None else None

    def text(self, line: Mapping[str, Any]) -> str | None:
        """Return the text, or None if the line does not have it."""
        text = text_of(value_at(line, self._steps))
        if text is None or self._compiled is None:
            return text
        found = self._compiled.search(text)
        return (found.group("value") or None) if found is not None else None


class MomentSelector(FieldSelector):
    """Takes the time of an event."""

    format: Annotated[MomentFormat, BeforeValidator(_a_format)] = Field(
        default=MomentFormat.RFC3339, examples=["RFC3339"]
    )


class OutcomeSelector(FieldSelector):
    """Takes how it ended. A value that is in neither list shows nothing about the outcome."""

    success: _Texts = Field(default=frozenset(), examples=["[ok]"])
    failure: _Texts = Field(default=frozenset(), examples=["[denied, error]"])


Selectors = Annotated[tuple[FieldSelector, ...], BeforeValidator(_as_list)]
"""The first that finds something wins."""


def first_text(selectors: Selectors, line: Mapping[str, Any]) -> str | None:
    """Return what the first selector takes that takes something."""
    return next((text for selector in selectors if (text := selector.text(line)) is not None), None)


def _can_be_tied(correlation: tuple[FieldSelector, ...], info: ValidationInfo) -> tuple[FieldSelector, ...]:
    known = info.data
    others = ("grant", "ticket", "person")
    if not correlation and all(name in known and not known[name] for name in others):
        raise ValueError("is missing, and so are grant, ticket and person; without any, no line belongs to anybody")
    return correlation


class LineMapping(_Part):
    """How the JSON lines of one system are read."""

    system: Annotated[
        str, StringConstraints(pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"), AfterValidator(_no_name_of_ours)
    ] = Field(examples=["postgresql"])
    time: MomentSelector
    person: Selectors = Field(default=(), examples=["user.name"])
    names: Mapping[str, str] = Field(default_factory=dict, examples=["{alice: alice@example.com}"])
    action: Selectors = Field(default=(), examples=["operation"])
    object: Selectors = Field(default=(), examples=["table"])
    outcome: OutcomeSelector | None = None
    grant: Selectors = Field(default=(), examples=["{field: application, pattern: 'curfew-(?P<value>[0-9a-f-]{36})'}"])
    ticket: Selectors = Field(default=(), examples=["change.ticket"])
    correlation: Annotated[Selectors, AfterValidator(_can_be_tied)] = Field(
        default=(), validate_default=True, examples=["trace.id"]
    )
    address: Selectors = Field(default=(), examples=["client.ip"])
    only: Annotated[Mapping[str, frozenset[str]], BeforeValidator(_as_paths)] = Field(
        default_factory=dict, examples=["{kind: [login, logout]}"]
    )

    @cached_property
    def _wanted(self) -> tuple[tuple[FieldPath, frozenset[str]], ...]:
        return tuple((parse_path(path), values) for path, values in self.only.items())

    def wants(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is of interest: each field in `only` has one of its values."""
        return all(text_of(value_at(line, path)) in values for path, values in self._wanted)
