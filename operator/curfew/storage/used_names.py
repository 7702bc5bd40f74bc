"""The names of requests that were used: an object for each, because a write-once store creates each object only once.

names/log=<log>/<SHA-256 of namespace, policy and name>.json holds the UID of the request that used the name first. It
holds no person's name. The store decides which request was first, so that neither a crash nor a second process lets a
name be used twice.
"""

import hashlib
import json

from curfew.audit.canonical import canonical
from curfew.ports import ObjectExists, ObjectStore

LONGEST_UID = 64
"""Characters; a UID from the API server has 36."""


class UsedNames:
    """The names that were used under policies with `limits.oncePerName`."""

    def __init__(self, store: ObjectStore, log: str) -> None:
        """Keep the names beside the log."""
        self._store = store
        self._log = log

    async def claim(self, namespace: str, policy: str, name: str, uid: str) -> str:
        """Use a name for the request with this UID, and return the UID of the request that has the name.

        An object that holds no UID was not written by Curfew; its name counts as used by an unknown request. Raise
        `StoreError` if the store does not answer.
        """
        key = hashlib.sha256(canonical([namespace, policy, name])).hexdigest()
        place = f"names/log={self._log}/{key}.json"
        try:
            await self._store.create(place, canonical({"uid": uid}))
        except ObjectExists:
            return _holder(await self._store.get(place))
        return uid


def _holder(body: bytes) -> str:
    """Return the UID in an object, or an empty text: empty and unknown mean no (promise P8)."""
    try:
        uid = json.loads(body[:1024])["uid"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return uid if isinstance(uid, str) and len(uid) <= LONGEST_UID else ""
