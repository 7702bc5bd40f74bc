"""What a call asks for: the part of the query that is understood. Anything else counts as not given."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from curfew.api.names import NAMESPACE_NAME, OBJECT_NAME

EVERYWHERE: Final = "*"
"""Instead of a namespace: all of them."""

DAYS: Final = (7, 30, 90)
"""The periods of statistics that can be chosen."""


class PageScope(NamedTuple):
    """Where to look, and how."""

    within: str = ""  # a namespace, EVERYWHERE, or nothing for that of the context
    refreshes: bool = False
    namespace: str = ""  # of the one object that is shown
    name: str = ""
    everything: bool = False  # also what is over
    days: int = DAYS[1]

    def link(self, view: str, **more: str) -> str:
        """Return the relative address of a view: with the same place to look in, and what else is given."""
        kept = {"in": self.within, "refresh": "1" if self.refreshes else "", **more}
        query = urlencode({key: value for key, value in kept.items() if value})
        return f"{view or '.'}{'?' if query else ''}{query}"

    def everywhere(self) -> "PageScope":
        """Return the same for all namespaces."""
        return self._replace(within=EVERYWHERE)

    def refreshing(self, *, wanted: bool) -> "PageScope":
        """Return the same, loaded again and again or not."""
        return self._replace(refreshes=wanted)


def read_scope(query: Mapping[str, str], within: str = "") -> PageScope:
    """Return what a query asks for. `within` is where to look if it does not say."""
    asked = query.get("in", within)
    days = query.get("days", "")
    return PageScope(
        within=EVERYWHERE if asked == EVERYWHERE else _named(asked, NAMESPACE_NAME),
        refreshes=query.get("refresh") == "1",
        namespace=_named(query.get("namespace", ""), NAMESPACE_NAME),
        name=_named(query.get("name", ""), OBJECT_NAME),
        everything=query.get("everything") == "1",
        days=next((one for one in DAYS if str(one) == days), DAYS[1]),
    )


def _named(text: str, form: re.Pattern[str]) -> str:
    return name if form.fullmatch(name := text.strip()) else ""
