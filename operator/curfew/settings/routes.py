"""The routes of notifications: a file in a Secret, for the addresses in it hold tokens and passwords.

```yaml
routes:
  - name: payments-approvers
    events: [RequestPending, RequestReviewed]   # left out: all
    namespaces: [payments, team-*]              # left out: all; * is any number of characters
    policies: [debug]                           # the same
    detectors: [RefusedDecision]                # of alerts; left out: all
    severity: Low                               # the least: Low | Medium | High | Critical
    urls: [slack://TOKEN_A/TOKEN_B/TOKEN_C]     # addresses of Apprise
    toPerson: [example.com]                     # mail goes to the person it is about, if their name is an address there
    perMinute: 20                               # more than these are put together
    templates:
      RequestPending: {title: "{{ title }}", body: "{{ text }}"}
```

No problem with them quotes a value: it may be a secret.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, field_validator

from curfew.core.detectors.alert import Severity
from curfew.core.notifications.message import Occasion
from curfew.settings.loading import SettingsRefused, load
from curfew.settings.values import Section

MOST_ROUTES: Final = 50
MOST_URLS: Final = 60
"""Most addresses of all routes together: each has a queue and, while it sends, a thread."""

LONGEST_TEMPLATE: Final = 10_000

_ADDRESS: Final = re.compile(r"[^\s'\"]*://[^\s'\"]*")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?")


def _texts(value: object) -> object:
    if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
        return value
    raise ValueError("is not a list of texts; write it in square brackets, such as [one, two]")


def _sections(value: object) -> object:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return value
    raise ValueError("is not a list of routes; each begins with - name:")


def _templates(value: object) -> object:
    if isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()):
        return value
    raise ValueError("holds no templates; write beneath it the name of an event, and beneath that: title, body")


def _name(value: object) -> object:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("is no name of a route; write up to 63 small letters, digits and dashes, such as approvers")


def _topics(value: object) -> object:
    known = [str(topic) for topic in Occasion]
    for one in value if isinstance(value, list) else ():
        if one not in known:
            raise ValueError(f"names an event that does not exist; the events are: {', '.join(known)}")
    return _texts(value)


def _severity(value: object) -> object:
    known = {one.name.capitalize(): one for one in Severity}
    if isinstance(value, str) and value in known:
        return known[value]
    if isinstance(value, Severity):
        return value
    raise ValueError(f"is no severity; write {', '.join(known)}")


def _domains(value: object) -> object:
    if isinstance(value, list) and all(isinstance(one, str) and _DOMAIN.fullmatch(one) for one in value):
        return value
    raise ValueError("is not a list of mail domains in small letters, such as [example.com]")


def _template(value: object) -> object:
    if isinstance(value, str) and len(value) <= LONGEST_TEMPLATE:
        return value
    raise ValueError(f"is not a template of at most {LONGEST_TEMPLATE:,} characters")


def _number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 600:
        return value
    raise ValueError("is not a number of messages from 1 to 600")


class TemplateSection(Section):
    """How a message looks. What is left out looks as usual."""

    title: Annotated[str | None, BeforeValidator(_template)] = Field(default=None, examples=["{{ title }}"])
    body: Annotated[str | None, BeforeValidator(_template)] = Field(default=None, examples=["{{ text }}"])


class RouteSection(Section):
    """Where some of the messages go."""

    name: Annotated[str, BeforeValidator(_name)] = Field(examples=["approvers"])
    urls: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(examples=["[slack://TOKEN_A/TOKEN_B/TOKEN_C]"])
    events: Annotated[tuple[Occasion, ...], BeforeValidator(_topics)] = Field(default=(), examples=["[RequestPending]"])
    namespaces: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(default=(), examples=["[payments]"])
    policies: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(default=(), examples=["[debug]"])
    detectors: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(default=(), examples=["[RefusedDecision]"])
    severity: Annotated[Severity, BeforeValidator(_severity)] = Field(default=Severity.LOW, examples=["High"])
    to_person: Annotated[tuple[str, ...], BeforeValidator(_domains)] = Field(default=(), examples=["[example.com]"])
    per_minute: Annotated[int, BeforeValidator(_number)] = Field(default=20, examples=[20])
    templates: Annotated[Mapping[Occasion, TemplateSection], BeforeValidator(_templates)] = Field(
        default={}, examples=["RequestPending: {body: '{{ text }}'}"]
    )


class Routes(Section):
    """All routes."""

    routes: Annotated[tuple[RouteSection, ...], BeforeValidator(_sections)] = Field(
        examples=["- name: approvers, and beneath it: urls"]
    )

    @field_validator("routes")
    @classmethod
    def _within_bounds(cls, routes: tuple[RouteSection, ...]) -> tuple[RouteSection, ...]:
        """Refuse more than can be served, and two routes of one name: records and metrics name routes."""
        names = Counter(route.name for route in routes)
        if twice := next((name for name, number in names.items() if number > 1), None):
            raise ValueError(f"names {twice} twice; give each route a name of its own")
        urls = sum(len(route.urls) for route in routes)
        if len(routes) > MOST_ROUTES or urls > MOST_URLS:
            raise ValueError(
                f"has {len(routes)} routes with {urls} urls; at most {MOST_ROUTES} and {MOST_URLS} are served"
            )
        return routes


def load_routes(path: Path) -> Routes:
    """Return the routes in a YAML file. Raise `SettingsRefused` with everything that is wrong, and without any address."""
    try:
        return load(path, Routes)
    except SettingsRefused as error:
        raise SettingsRefused(tuple(_without_addresses(problem) for problem in error.problems)) from None


def _without_addresses(problem: Any) -> str:
    return _ADDRESS.sub("ADDRESS", str(problem))
