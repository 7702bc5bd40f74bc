"""What a proxy does to the calls that go through it."""

import random
from dataclasses import dataclass, field
from typing import Final

RETRY_AFTER: Final = 1
"""Seconds that a caller is asked to wait."""


@dataclass
class Weather:
    """Clear, unless somebody says otherwise. Shares are of the calls, from 0 to 1."""

    chance: random.Random
    refusing: int | None = None  # the status that calls are answered with
    refused: float = 1.0
    slow: float = 0.0  # seconds that a call waits before it goes on
    lost: float = 0.0  # share of the answers that are lost
    counts: dict[str, int] = field(default_factory=dict)

    def refusal(self) -> int | None:
        """Return with which status the next call is refused, or None."""
        is_refused = self.refusing is not None and self.chance.random() < self.refused
        return self._counted("refused", self.refusing) if is_refused else None

    def loses(self) -> bool:
        """Whether the next answer is lost."""
        return bool(self.lost and self.chance.random() < self.lost and self._counted("lost", 1))

    def _counted(self, what: str, value: int | None) -> int | None:
        self.counts[what] = self.counts.get(what, 0) + 1
        return value
