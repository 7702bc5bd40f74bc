"""A receipt: a record's place in the log, and the log's size and root then. Each receipt is an independent anchor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """A record's index, and the size and RFC 6962 root (hex) of the log when the record became durable."""

    log: str
    index: int
    size: int
    root: str

    def __post_init__(self) -> None:
        """Refuse values that no log can have."""
        if not self.log or "/" in self.log:
            raise ValueError(f"a log has a name without slashes: {self.log!r}")
        if not 0 <= self.index < self.size:
            raise ValueError(f"index {self.index} is not in a log of {self.size} records")
        if _ROOT.fullmatch(self.root) is None:
            raise ValueError(f"the root is not 64 hex digits: {self.root!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the receipt in the form in which the request's status holds it."""
        return {"log": self.log, "index": self.index, "size": self.size, "root": self.root}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Receipt":
        """Read what `to_json` wrote. Raise `ValueError` for anything else."""
        types = {name: type(value.get(name)) for name in ("log", "index", "size", "root")}
        if types != {"log": str, "index": int, "size": int, "root": str}:
            raise ValueError("a receipt has a log, an index, a size and a root: text, two whole numbers, text")
        return cls(value["log"], value["index"], value["size"], value["root"])

    def compact(self) -> str:
        """Return the receipt in the form in which the binding's annotation holds it: `log/index/size/root`."""
        return f"{self.log}/{self.index}/{self.size}/{self.root}"

    @classmethod
    def parse(cls, text: str) -> "Receipt":
        """Read what `compact` wrote. Raise `ValueError` for anything else."""
        match = _COMPACT.fullmatch(text)
        if match is None:
            raise ValueError(f"a receipt has the form log/index/size/root: {text!r}")
        return cls(match["log"], int(match["index"]), int(match["size"]), match["root"])


_ROOT = re.compile("[0-9a-f]{64}")

# Numbers have one form, and no more digits than JSON can express exactly.
_NUMBER = "0|[1-9][0-9]{0,15}"
_COMPACT = re.compile(rf"(?P<log>[^/]+)/(?P<index>{_NUMBER})/(?P<size>{_NUMBER})/(?P<root>[0-9a-f]{{64}})")
