"""The settings of notifications: where the routes are, and what a message links to."""

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from curfew.settings.values import Section

PLACES: Final = ("namespace", "request", "uid", "policy", "record")
"""What can be put into a link, in curly brackets."""


def _from_the_folder(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path. The file need not be there yet: without it, nothing is sent, and the monitor shows that."""
    return None if path is None else Path((info.context or {}).get("folder", "")) / path


def _link(link: str | None) -> str | None:
    if link is None:
        return None
    parts = urlsplit(link)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "{" in parts.netloc:
        raise ValueError(
            f"is {link!r}, which is no web address; write, for example, https://HOST/{{namespace}}/{{request}}"
        )
    if unknown := next((name for name in re.findall(r"\{([^{}]*)\}", link) if name not in PLACES), None):
        known = ", ".join(f"{{{name}}}" for name in PLACES)
        raise ValueError(f"has {{{unknown}}}, which is not known; it can have {known}")
    return link


class NotificationSettings(Section):
    """Who is told what. Without routes, nobody is told anything."""

    routes: Annotated[Path | None, AfterValidator(_from_the_folder)] = Field(
        default=None, examples=["notifications/routes.yaml"]
    )
    link: Annotated[str | None, AfterValidator(_link)] = Field(
        default=None, examples=["https://HOST/{namespace}/{request}"]
    )
