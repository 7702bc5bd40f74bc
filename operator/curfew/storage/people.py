"""The people behind the pseudonyms: their names and keys, in a separate store whose objects can be deleted.

One object a person. A key is durable before the first record that needs it, and is read again after a minute, so that a
key that was erased elsewhere is no longer used.
"""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from curfew.audit.pseudonyms import KEY_BYTES, Person, hidden, names_in, pseudonyms_in, revealed
from curfew.audit.record import Record
from curfew.ports import Clock, ObjectExists, ObjectMissing, ObjectStore, StoreUnavailable

SCHEMA = "curfew.person/v1"
PREFIX = "people/"

AT_ONCE = 16
"""How many people are read at a time."""

FRESH = timedelta(minutes=1)
"""How long a key is used without checking that it still exists."""


def object_name(name: str) -> str:
    """Return the name of the object that holds a person's key."""
    return f"{PREFIX}{hashlib.sha256(name.encode()).hexdigest()}.json"


@dataclass(frozen=True, slots=True)
class _Known:
    person: Person
    read_at: datetime


class People:
    """The people that the log knows, by name and by pseudonym. Every method may raise a `StoreError`."""

    def __init__(
        self, store: ObjectStore, clock: Clock, make_key: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Nothing is read yet. `store` is not the log's: a person who is forgotten has to be gone from it."""
        self._store = store
        self._clock = clock
        self._make_key = make_key
        self._known: dict[str, _Known] = {}  # by name
        self._people: Mapping[str, Person] = {}  # by pseudonym, as of `_revealed_at`
        self._revealed_at = datetime.min.replace(tzinfo=UTC)
        self._met: set[str] = set()  # pseudonyms that were looked for then

    async def hide(self, records: Iterable[Record]) -> list[Record]:
        """Return records with pseudonyms for names. A person without a pseudonym gets one, which is durable by then."""
        records = list(records)
        names = sorted(set().union(*map(names_in, records)))
        limit = asyncio.Semaphore(AT_ONCE)

        async def person(name: str) -> Person:
            async with limit:
                return await self._person(name)

        people = {one.name: one for one in await asyncio.gather(*map(person, names))}
        return [hidden(record, {name: people[name] for name in names_in(record)}) for record in records]

    async def reveal(self, records: Iterable[Record]) -> list[Record]:
        """Return records with the names of all known people. The store is read once for all of them."""
        known = await self.by_pseudonym()
        return [revealed(record, known) for record in records]

    async def reveal_often(self, records: Iterable[Record]) -> list[Record]:
        """Do as `reveal` does, for a caller who comes often: the store is read again for a new pseudonym, or after `FRESH`."""
        records = list(records)
        met = set().union(*map(pseudonyms_in, records))
        now = self._clock.now()
        if met - self._met or (met and now - self._revealed_at >= FRESH):
            self._people = await self.by_pseudonym()
            self._revealed_at, self._met = now, set(self._people) | met
        return [revealed(record, self._people) for record in records]

    async def by_pseudonym(self) -> Mapping[str, Person]:
        """Return all known people."""
        names = await self._store.list(PREFIX)
        limit = asyncio.Semaphore(AT_ONCE)

        async def read(name: str) -> Person | None:
            async with limit:
                return await self._read(name)

        found = await asyncio.gather(*map(read, names))
        return {person.pseudonym: person for person in found if person is not None}

    async def find(self, name: str) -> Person | None:
        """Return a person, or None if the log does not hold this name, or no longer knows it."""
        return await self._read(object_name(name))

    async def _person(self, name: str) -> Person:
        now = self._clock.now()
        known = self._known.get(name)
        if known is None or now - known.read_at >= FRESH:
            known = self._known[name] = _Known(await self.find(name) or await self._introduce(name), now)
        return known.person

    async def _introduce(self, name: str) -> Person:
        """Give a person a key, or return the key that another process has stored first."""
        person = Person(name, self._make_key(KEY_BYTES))
        try:
            await self._store.create(object_name(name), _format(person))
        except ObjectExists:
            other = await self.find(name)
            if other is None:
                raise StoreUnavailable(
                    f"{object_name(name)} in {self._store.url} existed before and is missing now."
                ) from None
            return other
        return person

    async def _read(self, object_: str) -> Person | None:
        try:
            stored = await self._store.get(object_)
        except ObjectMissing:
            return None
        try:
            return _parse(stored)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(
                f"{object_} in {self._store.url} is not a person's key ({error}). Restore it, or delete it; if you "
                "delete it, the person's name is erased."
            ) from error


def _format(person: Person) -> bytes:
    told = {"schema": SCHEMA, "name": person.name, "key": base64.b64encode(person.key).decode()}
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _parse(stored: bytes) -> Person:
    told = json.loads(stored)
    if told["schema"] != SCHEMA:
        raise ValueError(f"its schema is {told['schema']}; this version reads {SCHEMA}")
    return Person(str(told["name"]), base64.b64decode(told["key"], validate=True))
