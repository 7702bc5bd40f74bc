"""Records with pseudonyms instead of people's names; a key kept outside the log turns a pseudonym back into the name.

Each person has a random key. The pseudonym is a hash of the key, so it reveals nothing by itself. When the key is
erased, nobody can find out any more whose pseudonym it was, and the log verifies as before. A hash of a text with a
name in it (a record's id, the digest of the terms or of another system's line, the identity of a call) could be guessed,
so it is encrypted with the same key.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record

KEY_BYTES = 32
"""Length of a person's key."""

UNKNOWN = "unknown"  # the holder of a binding that no story explains; no person


@dataclass(frozen=True, slots=True)
class Person:
    """A name as the API server authenticated it, and the random key that separates the name from the log."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a key of another length."""
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a person's key has {KEY_BYTES} bytes, not {len(self.key)}")

    @property
    def pseudonym(self) -> str:
        """The person's name in the log: `person:` and 130 bits in base32."""
        digest = hashlib.sha256(b"curfew pseudonym v1\n" + self.key).digest()
        return "person:" + base64.b32encode(digest).decode().lower()[:26]

    def seal(self, hexadecimal: str) -> str:
        """Return 16 or 32 bytes in hex, encrypted: as long as before, and the same each time (AES-256, block by block).

        The blocks are parts of hashes, no two alike, so there is no pattern to see.
        """
        encryptor = self._cipher().encryptor()
        return (encryptor.update(bytes.fromhex(hexadecimal)) + encryptor.finalize()).hex()

    def unseal(self, hexadecimal: str) -> str:
        """Decrypt the result of `seal`."""
        decryptor = self._cipher().decryptor()
        return (decryptor.update(bytes.fromhex(hexadecimal)) + decryptor.finalize()).hex()

    def _cipher(self) -> "Cipher[modes.ECB]":
        key = hashlib.sha256(b"curfew sealed digest v1\n" + self.key).digest()
        return Cipher(algorithms.AES256(key), modes.ECB())  # noqa: S305  single blocks of hashes: no pattern to see


def is_person(name: str) -> bool:
    """Whether a name is a person's, and not that of a part of the system or of nobody."""
    return bool(name) and not name.startswith("system:") and name != UNKNOWN


def names_in(record: Record) -> frozenset[str]:
    """Return the names of all people in a record."""
    if record.event == STORIES_OPEN:
        carried = [body for place in _CARRIED for body in _at(record.body, place)]
        nested = {name for body in carried for name in names_in(Record.parse(body))}
        return frozenset(nested | {name for name in _at(record.body, _TOLD_BY) if is_person(str(name))})
    found = {name for place in _NAMES for name in _at(record.body, place) if isinstance(name, str)}
    for subject in _at(record.body, _SUBJECTS):
        kind, _, name = str(subject).partition(" ")
        found |= {name} if kind == "User" else set()
    return frozenset(filter(is_person, found))


def hidden(record: Record, people: Mapping[str, Person]) -> Record:
    """Return a record with pseudonyms for the names of `people` (by name), who are all that `names_in` found."""
    if not people:
        return record
    if record.event == STORIES_OPEN:
        return _each_carried(
            record,
            lambda carried: hidden(carried, {name: people[name] for name in names_in(carried)}),
            lambda by, id_: (people[by].pseudonym, people[by].seal(id_)) if by in people else (by, id_),
        )
    body = _replaced(record.body, _as_whole(people), _NAMES)
    body = _replaced(body, _as_words(people), _TEXTS)
    return _sealed(body, record.block, people, Person.seal)


def revealed(record: Record, people: Mapping[str, Person]) -> Record:
    """Return a record with names instead of pseudonyms for `people`, by pseudonym. The inverse of `hidden`."""
    if not people:
        return record
    if record.event == STORIES_OPEN:
        return _each_carried(
            record,
            lambda carried: revealed(carried, people),
            lambda by, id_: (people[by].name, people[by].unseal(id_)) if by in people else (by, id_),
        )
    who = {person.name: person for pseudonym in pseudonyms_in(record) if (person := people.get(pseudonym)) is not None}
    if not who:
        return record

    def tell(text: str) -> str:
        return _PSEUDONYM.sub(lambda found: people[found[0]].name if found[0] in people else found[0], text)

    body = _mapped(record.body, tell)
    return _sealed(body, body["unmapped"]["curfew"], who, Person.unseal)


def _each_carried(
    record: Record, change: Callable[[Record], Record], tell: Callable[[str, str], tuple[str, str]]
) -> Record:
    """Return a record of carried stories with `change` applied to each record in it, `tell` to each other actor and id."""

    def story(entry: Mapping[str, Any]) -> dict[str, Any]:
        told = [
            {**one, **dict(zip(("actor", "id"), tell(one["actor"], one["id"]), strict=True))} for one in entry["told"]
        ]
        return {**entry, "records": [dict(change(Record.parse(body)).body) for body in entry["records"]], "told": told}

    block = dict(record.block)
    told = block["detail"]
    block["detail"] = {**told, "stories": [story(entry) for entry in told["stories"]]}
    if "locks" in told:
        block["detail"]["locks"] = [dict(change(Record.parse(body)).body) for body in told["locks"]]
    body = {**record.body, "unmapped": {**record.body["unmapped"], "curfew": block}}
    return Record(record.id, record.event, record.subject, body)


def _sealed(
    body: dict[str, Any], names: Mapping[str, Any], people: Mapping[str, Person], change: Callable[[Person, str], str]
) -> Record:
    """Return a record with that body, in which each hash with a name in it is changed by that person's key.

    `names` is our own block with its names in clear: it shows whose key to use.
    """
    block = dict(body["unmapped"]["curfew"])
    if about := [name for name in _at(names, _ABOUT) if is_person(str(name))]:
        return _sealed_alert(body, block, about, people, change)
    acting = (names["actor"], *_at(names, ("detail", "user")))
    if (actor := next((people[name] for name in acting if name in people), None)) is not None:
        block["id"] = change(actor, block["id"])
        if line := block.get("detail", {}).get("line"):
            block["detail"] = {**block["detail"], "line": change(actor, line)}
    requester = people.get(names.get("story", {}).get("requester"))
    if requester is not None and isinstance(detail := block.get("detail"), Mapping):
        sealed = {name: change(requester, detail[name]) for name in _HASHES if detail.get(name)}
        block["detail"] = {**detail, **sealed}
    metadata = {**body["metadata"], "uid": block["id"]}
    unmapped = {**body["unmapped"], "curfew": block}
    return Record(block["id"], block["event"], block["subject"], {**body, "metadata": metadata, "unmapped": unmapped})


def _sealed_alert(
    body: dict[str, Any],
    block: dict[str, Any],
    about: Sequence[str],
    people: Mapping[str, Person],
    change: Callable[[Person, str], str],
) -> Record:
    """Return the record of an alert, or of its end, whose id is a hash of all names that it is about: one key after another."""
    keys = [people[name] for name in about if name in people]
    if len(keys) < len(about):
        keys = []  # somebody was forgotten: what their key has encrypted stays as it is

    def sealed(hexadecimal: str) -> str:
        for person in keys if change is Person.seal else reversed(keys):
            hexadecimal = change(person, hexadecimal)
        return hexadecimal

    block["id"] = sealed(block["id"])
    if alert := block["detail"].get("alert"):
        block["detail"] = {**block["detail"], "alert": sealed(alert)}
    changed = {"metadata": {**body["metadata"], "uid": block["id"]}, "unmapped": {**body["unmapped"], "curfew": block}}
    if info := body.get("finding_info"):
        changed["finding_info"] = {**info, "uid": sealed(info["uid"])}
    return Record(block["id"], block["event"], block["subject"], {**body, **changed})


_Place = tuple[str, ...]
_EACH = "*"  # each item of a list or, at the end of a place, each string at any depth

_BLOCK = ("unmapped", "curfew")
_NAMES: tuple[_Place, ...] = (
    ("actor", "user", "name"),
    ("user", "name"),
    (*_BLOCK, "actor"),
    (*_BLOCK, "story", "requester"),
    (*_BLOCK, "story", "submitted_by"),
    (*_BLOCK, "story", "decisions", _EACH, "by"),
    (*_BLOCK, "detail", "person"),
    (*_BLOCK, "detail", "kept_by"),
    (*_BLOCK, "detail", "submitted_by"),
    (*_BLOCK, "detail", "people", _EACH),
    (*_BLOCK, "detail", "user"),  # whose rights a call used, if that is not who called
)
"""Fields that hold nothing but a name."""

_ABOUT = ("detail", "people", _EACH)  # whom an alert is about

_CARRIED = (
    (*_BLOCK, "detail", "stories", _EACH, "records", _EACH),
    (*_BLOCK, "detail", "locks", _EACH),
)
_TOLD_BY = (*_BLOCK, "detail", "stories", _EACH, "told", _EACH, "actor")

_HASHES = ("terms", "call", "other")  # in the detail of a record with a story: hashes of texts that hold people's names

_SUBJECTS = (*_BLOCK, "detail", "subjects", _EACH)  # "User" and a name

_TEXTS: tuple[_Place, ...] = (
    ("message",),
    (*_BLOCK, "story", "reason"),
    (*_BLOCK, "story", "decisions", _EACH, "reason"),
    (*_BLOCK, "detail"),
    ("resources", _EACH, "name"),
)
"""Fields in which names can be among other words."""

_PSEUDONYM = re.compile(r"person:[a-z2-7]{26}")


def _at(value: Any, place: _Place) -> Iterable[Any]:
    if not place:
        return [value]
    step, rest = place[0], place[1:]
    if step == _EACH:
        return [found for item in value for found in _at(item, rest)] if isinstance(value, list) else []
    return _at(value[step], rest) if isinstance(value, Mapping) and step in value else []


def _replaced(body: Mapping[str, Any], change: Callable[[str], str], places: tuple[_Place, ...]) -> dict[str, Any]:
    changed: Any = body
    for place in places:
        changed = _changed_at(changed, place, change)
    return dict(changed)


def _changed_at(value: Any, place: _Place, change: Callable[[str], str]) -> Any:
    if not place:
        return _mapped(value, change)
    step, rest = place[0], place[1:]
    if step == _EACH:
        return [_changed_at(item, rest, change) for item in value] if isinstance(value, list) else value
    if isinstance(value, Mapping) and step in value:
        return {**value, step: _changed_at(value[step], rest, change)}
    return value


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(part, change) for part in value]
    return value


def _as_whole(people: Mapping[str, Person]) -> Callable[[str], str]:
    return lambda text: people[text].pseudonym if text in people else text


def _as_words(people: Mapping[str, Person]) -> Callable[[str], str]:
    """Return a function that replaces names that are whole words: bob, but neither bobby nor bob@example.com."""
    longest_first = sorted(people, key=len, reverse=True)
    names = re.compile(rf"(?<![\w@.-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w@-]|\.\w)")
    return lambda text: names.sub(lambda found: people[found[0]].pseudonym, text)


def pseudonyms_in(record: Record) -> set[str]:
    """Return all pseudonyms in a record, also those of people who are not known any more."""
    found: set[str] = set()

    def look(text: str) -> str:
        found.update(_PSEUDONYM.findall(text))
        return text

    _mapped(record.body, look)
    return found
