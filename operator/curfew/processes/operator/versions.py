"""Which version of each object is the newest that was seen, and which objects are gone."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOMBSTONES = 10_000
"""How many deleted UIDs are remembered, so that a late event does not bring a deleted object back."""

KINDS = ("request", "policy", "binding", "role", "lock")


@dataclass(frozen=True, slots=True)
class Known:
    """What was known about all objects at one instant. A list that is begun later can only be newer."""

    versions: Mapping[tuple[str, str], int]
    gone: frozenset[str]

    def contradicts(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Whether a listed object was already known in a newer version, or as gone. Then the API server's state went back."""
        meta = body["metadata"]
        uid = str(meta["uid"])
        return uid in self.gone or self.versions.get((kind, uid), -1) > int(meta["resourceVersion"])


class Versions:
    """The newest resourceVersion seen of each object, and the UIDs of those that are gone."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}  # by kind and UID
        self._tombstones: OrderedDict[str, None] = OrderedDict()

    def is_news(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Note an object, and return whether it is newer than the version seen before, and not gone."""
        meta = body["metadata"]
        # These numbers can be compared since Kubernetes 1.35 (KEP-5504).
        uid, version = str(meta["uid"]), int(meta["resourceVersion"])
        if uid in self._tombstones or self._newest.get((kind, uid), -1) >= version:
            return False
        self._newest[kind, uid] = version
        return True

    def has(self, kind: str, uid: str) -> bool:
        """Whether an object was seen and is not known to be gone."""
        return (kind, uid) in self._newest

    def forget(self, kind: str, uid: str) -> None:
        """Treat the object as news when it is seen again, in any version."""
        self._newest.pop((kind, uid), None)

    def bury(self, uid: str) -> None:
        """Note that an object is gone: every version that is seen from now on is old."""
        self._tombstones[uid] = None
        for kind in KINDS:
            self._newest.pop((kind, uid), None)
        while len(self._tombstones) > TOMBSTONES:
            self._tombstones.popitem(last=False)

    def is_buried(self, uid: str) -> bool:
        """Whether an object is known to be gone."""
        return uid in self._tombstones

    def known(self) -> Known:
        """Return what is known about all objects, as of now."""
        return Known(dict(self._newest), frozenset(self._tombstones))

    def start_over(self) -> None:
        """Treat what is seen next as the newest, as after a start: the API server's state went back."""
        self._newest.clear()
        self._tombstones.clear()
