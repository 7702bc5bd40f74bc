"""The recorded log, as tests read it: its objects, its key, and which request is which story."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from curfew.audit.checkpoint import Verifier
from curfew.audit.places import in_order
from curfew.audit.segment import Segment
from curfew.audit.walk import Walk
from curfew.evidence.account import Account, Ledger
from curfew.evidence.period import Period

LOG: Final = "main"
FILE: Final = Path(__file__).with_name("log.zip")
_KEY, _STORIES = "key.txt", "stories.json"


@dataclass(frozen=True, slots=True)
class Named:
    """A request: its namespace, its name and its UID."""

    namespace: str
    request: str
    uid: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A log by the name of each object, the key that verifies it, and the request of each story."""

    objects: Mapping[str, bytes]
    key: str
    stories: Mapping[str, Named]

    @classmethod
    def load(cls) -> Self:
        """Read the recorded log."""
        with zipfile.ZipFile(FILE) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        stories = {name: Named(**named) for name, named in json.loads(files.pop(_STORIES)).items()}
        return cls(key=files.pop(_KEY).decode(), stories=stories, objects=files)

    def save(self) -> None:
        """Write it where `load` reads it."""
        stories = {name: asdict(named) for name, named in sorted(self.stories.items())}
        files = {_KEY: self.key.encode(), _STORIES: json.dumps(stories, indent=1).encode()}
        with zipfile.ZipFile(FILE, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**files, **self.objects}.items():
                archive.writestr(zipfile.ZipInfo(name), content)

    def unpack(self, folder: Path) -> Path:
        """Write its objects into a folder, as `curfew audit` reads it, and return that."""
        for name, content in self.objects.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder


def account_of(objects: Mapping[str, bytes], key: str, log: str = LOG) -> Account:
    """Return what a report is made of, over the days of the log; a log that does not verify fails."""
    segments: list[Segment] = []
    walk = Walk(log, Verifier.parse(key), accepted=segments.append)
    for name in in_order(log, objects):
        walk.take(name, objects[name])
    assert walk.finish().findings == ()
    ledger = Ledger(log, days(segments[0].at, segments[-1].at))
    for segment in segments:
        ledger.take(segment)
    return ledger.account()


def days(first: datetime, last: datetime) -> Period:
    """Return the period of whole days from one instant to another."""
    return Period.parse(f"{first:%Y-%m-%d}..{last:%Y-%m-%d}", last)
