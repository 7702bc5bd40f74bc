"""Labels whose values people choose: only so many are shown, so that nobody can fill a Prometheus (promise P12)."""

from typing import Final

OTHER: Final = "other"
"""The value of each label of what is not shown by itself."""

MOST_POLICIES: Final = 100
MOST_STAGES: Final = 200


class BoundedLabels:
    """Gives the first `most` combinations their own series; all later ones share a series."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[tuple[str, ...]] = set()

    def of(self, *values: str) -> tuple[str, ...]:
        """Return these values if they have a series or there is room for one, else `OTHER` for each of them."""
        if values not in self._known:
            if len(self._known) >= self._most:
                return (OTHER,) * len(values)
            self._known.add(values)
        return values
