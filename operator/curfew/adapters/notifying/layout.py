"""Writes a message for a kind of channel, within its bounds: whole lines and whole commands, or none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from curfew.adapters.notifying.manners import FENCE, Manner
from curfew.adapters.notifying.templates import Look, filled
from curfew.core.notifications.message import Message
from curfew.core.notifications.plain import cut, line

MOST: Final = 10_000
"""Most characters of a message, whatever the channel takes."""

MOST_TITLE: Final = 200
MOST_TEXT: Final = 1000

MOST_LISTED: Final = 50
"""Most messages that a digest lists; it has the number of all."""


@dataclass(frozen=True, slots=True)
class ChannelBounds:
    """What a channel takes. A title of no characters means that it has none: the title is then the first line."""

    title: int
    body: int


@dataclass(frozen=True, slots=True)
class Written:
    """What is sent."""

    title: str
    body: str


def written(
    messages: Sequence[Message],
    manner: Manner,
    bounds: ChannelBounds,
    *,
    link: str | None = None,
    look: Look | None = None,
) -> Written:
    """Return a message, or several as a digest, for a channel. `link` is the form of the address of a request's page."""
    if len(messages) > 1:
        title, lines = _digest(messages, manner)
        return _fitted(title, [(number, each) for number, each in enumerate(lines)], manner, bounds)
    message = messages[0]
    values = _values(message, manner, link)
    title = _first(filled(look.title, values) if look is not None and look.title is not None else None)
    body = filled(look.body, values) if look is not None and look.body is not None else None
    title = title or values["title"]
    if body is not None:
        own = [(number, _kept(each)) for number, each in enumerate(body.splitlines())]
        return _fitted(title, own, manner, bounds)
    return _fitted(title, list(_usual(values)), manner, bounds)


def link_to(message: Message, form: str | None) -> str:
    """Return the address of the page about a request, every part of it quoted; empty if there is none."""
    if form is None or not message.request:
        return ""
    parts = {
        "namespace": message.namespace,
        "request": message.request,
        "uid": message.subject,
        "policy": message.policy,
        "record": message.record,
    }
    for name, value in parts.items():
        # These two may stand in an address, and are signs of markup as well.
        form = form.replace(f"{{{name}}}", quote(value, safe="").replace("_", "%5F").replace("~", "%7E"))
    return form


def _values(message: Message, manner: Manner, link: str | None) -> dict[str, Any]:
    def shown(text: object, most: int = 500) -> str:
        return manner.value(line(text, most))

    return {
        "topic": str(message.topic),
        "title": shown(message.title, MOST_TITLE),
        "text": shown(message.text, MOST_TEXT),
        "severity": message.severity.name.capitalize(),
        "namespace": shown(message.namespace),
        "policy": shown(message.policy),
        "request": shown(message.request),
        "person": shown(message.person),
        "detector": shown(message.detector),
        "facts": [{"label": shown(fact.label), "value": shown(fact.value)} for fact in message.facts],
        "commands": [{"does": each.does, "shell": each.shell} for each in message.commands if manner.has_commands],
        "link": link_to(message, link),
    }


def _usual(values: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a message in their order, each with its turn: the highest are left out first if there is no room."""
    yield 0, values["text"]
    for number, fact in enumerate(values["facts"]):
        yield 40 + number, f"{fact['label']}: {fact['value']}"
    for number, command in enumerate(values["commands"]):
        yield (10 if number < 2 else 90) + number, f"\n{command['does']}:\n{command['shell']}"
    if values["link"]:
        yield 20, f"\n{values['link']}"


def _digest(messages: Sequence[Message], manner: Manner) -> tuple[str, list[str]]:
    more = len(messages) - MOST_LISTED
    # The gravest first: nobody hides an alert behind many requests.
    gravest = sorted(messages, key=lambda message: -message.severity)[:MOST_LISTED]
    lines = [f"- {manner.value(line(message.title, MOST_TITLE))}" for message in gravest]
    return f"{len(messages)} messages of Curfew", [*lines, *((f"and {more} more",) if more > 0 else ())]


def _fitted(title: str, lines: Sequence[tuple[int, str]], manner: Manner, bounds: ChannelBounds) -> Written:
    """Return title and text, without the lines for which there is no room."""
    has_title = bounds.title > 0 and not manner.is_fenced
    most = min(manner.most or bounds.body, MOST) - (2 * len(FENCE) + 4 if manner.is_fenced else 0)
    if not has_title:
        lines = [(-1, title), *lines]
    kept: set[int] = set()
    room = most
    for index in sorted(range(len(lines)), key=lambda index: lines[index][0]):
        size = len(lines[index][1]) + 1
        if size <= room:
            kept.add(index)
            room -= size
    text = "\n".join(each for index, (_, each) in enumerate(lines) if index in kept) or cut(title, max(most, 1))
    return Written(cut(title, min(bounds.title, MOST_TITLE)) if has_title else "", manner.whole(text))


def _first(text: str | None) -> str:
    return line(text, MOST_TITLE) if text is not None else ""


def _kept(text: str) -> str:
    """Return a line of a template's text, indented as the template has it."""
    inner = text.lstrip(" ")
    return " " * min(len(text) - len(inner), 20) + line(inner, MOST)
