"""What the trail says of requests, by their names: a call names the request that it is about, and nothing else of it."""

from dataclasses import replace
from typing import Final

from curfew.audit.record import Record, RecordRefused, Story
from curfew.core.remembered import Remembered

MOST_REQUESTS: Final = 10_000
"""How many requests are remembered, the newest ones."""


class KnownRequests:
    """The story of each request, without what would change a joined story: its length and its decisions."""

    def __init__(self, most: int = MOST_REQUESTS) -> None:
        """Know none yet."""
        self._stories: Remembered[tuple[str, str], Story] = Remembered(most)

    def learn(self, record: Record) -> None:
        """Learn a record of the trail, in the trail's order."""
        if not isinstance(record.block.get("story"), dict):
            return
        try:
            story = Story.of(record)
        except RecordRefused:
            return
        self._stories[story.namespace, story.request] = replace(story, duration=None, decisions=(), reason=None)

    def of(self, namespace: str, name: str) -> Story | None:
        """Return the story of the newest request of this name, if it is known."""
        return self._stories.get((namespace, name))
