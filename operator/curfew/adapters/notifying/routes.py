"""The routes in force: read from their file, checked, and read again when it changes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from curfew.adapters.notifying.manners import Manner, manner_of
from curfew.adapters.notifying.templates import Look, TemplateRefused, looks_of
from curfew.core.notifications.message import Message, Occasion
from curfew.core.notifications.routing import Match
from curfew.ports.notifier import Channel
from curfew.settings.files import read_given
from curfew.settings.loading import MOST_SETTINGS, SettingsRefused
from curfew.settings.routes import RouteSection, load_routes

CARD: Final = Path(__file__).with_name("teams.json")

_OURS: Final = ("batch", "emojis", "optional", "overflow", "retry", "store", "template", "wait")
"""Options of Apprise's addresses that would change what Curfew answers for: how text is written, and how it is tried again."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One address of a route, ready to be sent to."""

    channel: Channel
    plugin: Any
    manner: Manner
    match: Match
    looks: Mapping[Occasion, Look] = field(default_factory=dict)
    domains: tuple[str, ...] = ()
    """Of the people that it sends to, each what is about them; empty: it has fixed receivers."""

    def takes(self, message: Message) -> bool:
        """Whether a message goes here."""
        return self.match.takes(message) and (not self.domains or bool(self.receiver(message)))

    def receiver(self, message: Message) -> str:
        """Return the mail address of the person that a message is for; empty if their name is none that may be written to."""
        name, at, domain = message.person.rpartition("@")
        is_name = 0 < len(name) <= 64 and name.isascii() and all(char.isalnum() or char in "._+-" for char in name)
        return message.person if at and is_name and domain in self.domains else ""


class RoutesFile:
    """The file of routes. What is wrong with a new version of it leaves the old one in force."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._digest = b""
        self.places: Sequence[Destination] = ()
        self.trouble = "The routes of notifications have not been read yet."
        """What is wrong with the file, as a sentence for people without any address; empty if all is well."""

    def read(self) -> bool:
        """Read the file if it has changed, and return whether there are other routes now. It takes a second the first time."""
        try:
            digest = hashlib.sha256(read_given(self._path, MOST_SETTINGS)).digest()
        except OSError as error:
            self._digest, self.trouble = b"", f"{self._path}: cannot be read: {error.strerror or 'it is too large'}."
            return False
        if digest == self._digest:
            return False
        self._digest = digest
        try:
            self.places = tuple(
                place for route in load_routes(self._path).routes for place in _places(self._path, route)
            )
        except SettingsRefused as error:
            self.trouble = " ".join(error.problems)
            return False
        except Exception as error:  # noqa: BLE001  whatever is in the file, it ends nothing, and the old routes stay
            self.trouble = f"{self._path}: cannot be used: {type(error).__name__}."
            return False
        self.trouble = ""
        return True


def _places(path: Path, route: RouteSection) -> list[Destination]:
    match = Match(
        topics=frozenset(route.events),
        namespaces=route.namespaces,
        policies=route.policies,
        detectors=route.detectors,
        severity=route.severity,
    )
    try:
        looks = looks_of(route)
    except TemplateRefused as error:
        raise SettingsRefused((f"{path}: {error}",)) from error
    places = []
    for number, url in enumerate(route.urls):
        where = f"{path}: route {route.name}: address {number + 1}"
        plugin = _plugin(url, where)
        family = type(plugin).__name__.removeprefix("Notify")
        if route.to_person and family != "Email":
            raise SettingsRefused(
                (f"{where} is not of mail, and only mail can go to the person it is about (toPerson).",)
            )
        manner = manner_of(family)
        channel = Channel(route.name, family, number, per_minute=route.per_minute, is_personal=bool(route.to_person))
        places.append(Destination(channel, plugin, manner, match, looks, route.to_person))
    return places


def _plugin(url: str, where: str) -> Any:
    """Return Apprise's object for an address. Raise `SettingsRefused` for one that it does not know, without the address."""
    try:
        parts = urlsplit(url)
        options = {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}
    except ValueError:
        raise SettingsRefused((f"{where} is not an address that Apprise can read.",)) from None
    refused = sorted(options & {*_OURS, *(() if parts.scheme in ("mailto", "mailtos") else ("format",))})
    if refused:
        raise SettingsRefused((f"{where} has the option {refused[0]}; leave it out: Curfew takes care of that.",))
    instantiate, asset = _apprise()
    if parts.scheme in ("workflow", "workflows"):
        url = f"{url}{'&' if parts.query else '?'}template={CARD.as_uri()}"
    try:
        plugin = instantiate(url, asset=asset, suppress_exceptions=True)
    except Exception:  # noqa: BLE001  each kind of address is read by code of its own, and the other routes have to stay
        plugin = None
    if plugin is None:
        raise SettingsRefused(
            (
                f"{where} is not understood by Apprise; https://github.com/caronc/apprise/wiki shows how each is written.",
            )
        )
    plugin.request_rate_per_sec = 0  # it would sleep for seconds between two messages; Curfew has its own bound
    return plugin


@cache
def _apprise() -> Any:
    """Import Apprise, and return what makes its objects: nothing is stored, no file of plugins is run, nothing is logged."""
    import logging

    import apprise

    logging.getLogger("apprise").disabled = True  # its lines may hold parts of addresses and of answers
    # It warns of answers that it cannot read, with the address.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(
        app_id="Curfew",
        app_desc="Curfew",
        app_url="",
        async_mode=False,
        default_service_retry=0,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        storage_mode="memory",
    )
    return apprise.Apprise.instantiate, asset
