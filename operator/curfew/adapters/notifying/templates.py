"""Templates of messages: Jinja2 in a sandbox. What they are filled with is data and never a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from curfew.core.notifications.message import Occasion
from curfew.settings.routes import RouteSection

NAMES: Final = (
    "topic",
    "title",
    "text",
    "severity",
    "namespace",
    "policy",
    "request",
    "person",
    "detector",
    "facts",
    "commands",
    "link",
)
"""What a template can name. A fact has `label` and `value`, a command has `does` and `shell`."""

# The result is plain text, so nothing is escaped here: `manners` does that for the channel.
_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True, lstrip_blocks=True, autoescape=False
)

_SAMPLE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(NAMES, "x"),
    "facts": [{"label": "Reason", "value": "x"}],
    "commands": [{"does": "Approve", "shell": "kubectl"}],
}


class TemplateRefused(Exception):
    """A template that cannot be used. `str(error)` is a sentence with the place and the error."""


@dataclass(frozen=True, slots=True)
class Look:
    """The templates of a message. None: as usual."""

    title: Template | None = None
    body: Template | None = None


def looks_of(route: RouteSection) -> Mapping[Occasion, Look]:
    """Return the templates of a route, or raise `TemplateRefused`. Each was tried once with made-up values."""
    return {
        topic: Look(
            _compiled(route.name, topic, "title", section.title), _compiled(route.name, topic, "body", section.body)
        )
        for topic, section in route.templates.items()
    }


def filled(template: Template, values: Mapping[str, Any]) -> str | None:
    """Return the text that a template makes of values, or None if it cannot: the message then looks as usual."""
    try:
        return template.render(values)
    except Exception:  # noqa: BLE001  a template is a program of others, and no message may be lost by one
        return None


def _compiled(route: str, topic: Occasion, part: str, source: str | None) -> Template | None:
    if source is None:
        return None
    place = f"route {route}: the {part} of {topic}"
    try:
        template = _ENVIRONMENT.from_string(source)
        template.render(_SAMPLE)
    except TemplateSyntaxError as error:
        raise TemplateRefused(f"{place} is not a template: line {error.lineno}: {error.message}.") from error
    except TemplateError as error:
        raise TemplateRefused(f"{place} cannot be filled: {error.message}; it can name {', '.join(NAMES)}.") from error
    except Exception as error:
        raise TemplateRefused(f"{place} cannot be filled: {type(error).__name__}.") from error
    return template
