"""Reading the anchors that people keep: receipts and signed checkpoints, and manifests that hold them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curfew.api.names import ANNOTATION_RECEIPT, CHECKPOINT_CONFIG_MAP, CHECKPOINT_KEY
from curfew.audit.checkpoint import NoteRefused, Verifier, open_note
from curfew.audit.findings import Anchor
from curfew.audit.receipt import Receipt
from curfew.audit.untrusted_json import GivenRefused, parse_given

FORMS = (
    "An anchor is a receipt (log/index/size/root, or JSON), a signed checkpoint, or one or more AccessRequests, "
    f"RoleBindings of grants or ConfigMaps {CHECKPOINT_CONFIG_MAP}, as kubectl prints them in JSON or YAML"
)
"""The accepted forms of an anchor, for error messages."""

MOST_YAML = 2 * 1024 * 1024
"""Most characters of YAML: reading that many takes ten seconds."""

_PLACES: tuple[tuple[str, ...], ...] = (
    (),
    ("receipt",),
    ("grant", "receipt"),
    ("status", "grant", "receipt"),  # an AccessRequest
    ("metadata", "annotations", ANNOTATION_RECEIPT),  # a RoleBinding
    (CHECKPOINT_KEY,),
    ("data", CHECKPOINT_KEY),  # the ConfigMap
)
"""The places in a document where a receipt or a checkpoint can be. They are fixed: other parts are not searched."""


def anchors_in(content: str) -> list[Receipt | str]:
    """Return all receipts in a text, and the signed notes of all checkpoints.

    Raise `ValueError` if it holds none, or if a place for one holds something else. No signature is checked.
    """
    if content.partition("\n\n")[2].startswith("\u2014 "):
        return [content]
    if "\n" not in content.strip() and "{" not in content:
        return [Receipt.parse(content.strip())]
    found = [anchor for document in _documents(content) for anchor in _anchors(document)]
    if not found:
        raise ValueError("it holds neither a receipt nor a checkpoint")
    return found


def _documents(content: str) -> Iterator[object]:
    """Yield the documents in a text: one in JSON, or any number in YAML. A list from kubectl counts as its items."""
    try:
        documents = [parse_given(content.encode(errors="replace"))]
    except GivenRefused:
        documents = _yaml(content)
    for document in documents:
        items = document.get("items") if isinstance(document, dict) else document
        yield from items if isinstance(items, list) else [document]


def _yaml(content: str) -> list[object]:
    import yaml  # rarely needed, and slow to load

    if len(content) > MOST_YAML:
        raise ValueError(f"it has more than {MOST_YAML:,} characters in YAML; ask for JSON instead (-o json)")
    try:
        return list(yaml.safe_load_all(content))
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ValueError(f"it is neither JSON nor YAML: {problem}") from error
    except (AttributeError, TypeError, OverflowError, RecursionError) as error:
        # PyYAML raises these for values whose tag does not fit them, and for text that is nested too deeply.
        raise ValueError(f"it is neither JSON nor YAML: {error}") from error


def _anchors(document: object) -> Iterator[Receipt | str]:
    for place in _PLACES:
        value = _at(document, place)
        match value:
            case {"log": _, "index": _, "size": _, "root": _}:
                yield Receipt.from_json(value)
            case str() if place[-1:] == (CHECKPOINT_KEY,):
                yield value
            case str() if place:
                yield Receipt.parse(value)


def _at(document: object, place: tuple[str, ...]) -> Any:
    for key in place:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


@dataclass(frozen=True, slots=True)
class Kept:
    """An anchor as it was given."""

    anchor: Anchor
    note: str | None = None  # the signed checkpoint that it was read from, if it was read from one

    def forgery(self, keys: Iterable[Verifier]) -> str | None:
        """Return a sentence about a checkpoint that none of a log's keys has signed, or None."""
        refusal: NoteRefused | None = None
        for verifier in keys if self.note is not None else ():
            try:
                open_note(self.note or "", verifier)
            except NoteRefused as error:
                refusal = refusal or error
            else:
                return None
        if refusal is None:
            return None
        return (
            f"{self.anchor.source} does not belong to this log: {refusal}. Either the log or the checkpoint was "
            "replaced by another"
        )
