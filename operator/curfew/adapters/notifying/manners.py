"""How text reaches each kind of channel as the text that it is: no markup, no mention and no link comes of it.

Apprise escapes for some channels and not for others, so nothing is left to it that matters: what is not known to be shown
letter by letter goes into a code block, or loses the characters that markup is made of to others that look alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

FENCE: Final = "```"

_LOOK_ALIKE: Final = {ord(char): ord(char) - 0x20 + 0xFF00 for char in "!#$&*<>@[\\]^_`{|}~"}
"""The full-width forms: they mean nothing to any markup."""

_NO_FENCE: Final = {ord("`"): "\N{MODIFIER LETTER GRAVE ACCENT}"}


@dataclass(frozen=True, slots=True)
class Manner:
    """How to write for a kind of channel."""

    is_fenced: bool = False  # in a code block, in which Markdown, mentions and links mean nothing
    is_disarmed: bool = False  # values are written without the characters of markup
    has_commands: bool = True  # a command arrives as it was sent, so that it can be pasted
    is_card: bool = False  # in a form of ours, whose texts know no markup
    most: int | None = None  # characters of a message, if Apprise's own bound is wrong

    @property
    def is_verbatim(self) -> bool:
        """Whether Apprise has to pass on what is written, and to escape nothing in it."""
        return self.is_fenced or self.is_card

    def value(self, text: str) -> str:
        """Return a value for the channel."""
        if self.is_disarmed:
            # A bare address is made a link by many; without its two slashes it is none.
            return text.translate(_LOOK_ALIKE).replace("://", ":\N{FULLWIDTH SOLIDUS}\N{FULLWIDTH SOLIDUS}")
        return text

    def whole(self, text: str) -> str:
        """Return the text of a message for the channel."""
        return f"{FENCE}\n{text.translate(_NO_FENCE)}\n{FENCE}" if self.is_fenced else text


PLAIN: Final = Manner()
FENCED: Final = Manner(is_fenced=True)
FENCED_AND_DISARMED: Final = Manner(is_fenced=True, is_disarmed=True)
DISARMED: Final = Manner(is_disarmed=True, has_commands=False)

CARD: Final = Manner(is_card=True, most=10_000)
"""Teams: an adaptive card of text runs."""

_MANNERS: Final[Mapping[str, Manner]] = MappingProxyType(
    {
        "Discord": FENCED,
        "Email": PLAIN,
        "Form": PLAIN,
        "GoogleChat": FENCED_AND_DISARMED,
        "Gotify": PLAIN,
        "JSON": PLAIN,
        "Mattermost": FENCED,
        "Ntfy": PLAIN,
        "PagerDuty": PLAIN,
        "Pushover": PLAIN,
        "RocketChat": FENCED_AND_DISARMED,
        "Slack": PLAIN,  # sent with "mrkdwn": false; Apprise writes the three escapes that Slack has
        "WebexTeams": FENCED_AND_DISARMED,
        "Workflows": CARD,
        "XML": PLAIN,
        "Zulip": FENCED,
    }
)
"""By Apprise's name of the plugin."""


def manner_of(family: str) -> Manner:
    """Return how to write for a kind of channel; for one that is not known, so that nothing can come of any text."""
    return _MANNERS.get(family, DISARMED)
