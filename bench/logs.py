"""Large logs to measure with: made of realistic stories, sealed as the operator seals them, the same for the same shape.

    .venv/bin/python -m bench.logs --records 1000000 --days 90          prints the folder that holds the log

A log is made once and kept in the cache folder, as long as the code would make the same bytes again.
"""

import argparse
import heapq
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.stories import DURATIONS, Company
from curfew.audit.canonical import canonical
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.record import CURFEW, make_record
from curfew.audit.segment import Head, origin, seal
from curfew.trail.queue import MOST_BYTES, MOST_RECORDS
from tools.servers.folders import cache_folder
from tools.servers.progress import Progress

BEGIN = datetime(2026, 8, 1, tzinfo=UTC)
TOGETHER = timedelta(milliseconds=300)
"""What comes so soon after the first record of a segment goes into it: about as long as a slow PUT takes."""

STORY = 7.9
"""How many records a story has on average."""

SAMPLE = 300
"""How many records show whether the code still makes the same bytes."""

ABOUT = "about.json"

Timed = tuple[datetime, bytes]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a log is to be like. Equal shapes are equal logs, byte for byte."""

    records: int
    days: int = 90
    wave: int = 100  # how many requests come together on average, when they do; with 1 they never do
    heartbeat: int = 0  # seconds after which a silent log shows a sign of life; 0: it shows none
    heartbeat_days: int = 0  # it does so in so many of the last days; 0: in all
    people: int = 400
    seed: int = 1
    log: str = "main"


@dataclass(frozen=True, slots=True)
class Made:
    """A log in a folder, and what one has to know of it."""

    folder: Path  # what `file://` is put before
    log: str
    key: str  # the verifier key
    records: int
    segments: int
    stored: int  # bytes
    person: str  # one of those who ask

    @property
    def url(self) -> str:
        """Return where it is, as `--from` takes it."""
        return f"file://{self.folder}"


def signer(log: str) -> Ed25519Signer:
    """Return the signer of all logs of this name: a key that is nobody's."""
    return Ed25519Signer(origin(log), Ed25519PrivateKey.from_private_bytes(sha256(log.encode()).digest()))


def segments(shape: Shape) -> Iterator[tuple[str, bytes, Head]]:
    """Yield a log's objects in order: the name and the stored bytes of each, and the state of the log after it."""
    key = signer(shape.log)
    head = Head.genesis(shape.log)
    for at, lines in _groups(shape, itertools.islice(_all_lines(shape), shape.records)):
        while (beat := _beat(shape, head)) is not None and beat < at:
            name = head.next_name()
            stored, head = seal(head, (), at=beat, writer="curfew-1", signer=key)
            yield name, stored, head
        name = head.next_name()
        stored, head = seal(head, lines, at=at, writer="curfew-1", signer=key)
        yield name, stored, head


def _beat(shape: Shape, head: Head) -> datetime | None:
    """Return when a silent log shows a sign of life after this, if it does."""
    if not shape.heartbeat or head.at is None:
        return None
    beat = head.at + timedelta(seconds=shape.heartbeat)
    if shape.heartbeat_days:
        beat = max(beat, BEGIN + timedelta(days=shape.days - shape.heartbeat_days))
    return beat


def made(shape: Shape, cache: Path | None = None) -> Made:
    """Return a log in a folder of the cache; it is made where it is not there."""
    folder = kept(_key(shape), lambda folder: _write(shape, folder), cache)
    told = json.loads((folder / ABOUT).read_text())
    return Made(folder=folder / "log", **told)


def kept(name: str, write: Callable[[Path], None], cache: Path | None = None) -> Path:
    """Return the folder of this name in the cache; `write` fills it if it is not there."""
    folder = (cache or cache_folder() / "bench") / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
        try:
            write(unfinished)
            if not folder.exists():  # nobody else has made the same meanwhile
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _write(shape: Shape, folder: Path) -> None:
    root = folder / "log"
    count = stored_bytes = 0
    known: set[Path] = set()
    with Progress(f"a log of {shape.records:,} records over {shape.days} days", sys.stderr) as progress:
        for name, stored, head in segments(shape):
            path = root / name
            if path.parent not in known:
                path.parent.mkdir(parents=True)
                known.add(path.parent)
            path.write_bytes(stored)
            count += 1
            stored_bytes += len(stored)
            progress.tick(f"{head.range.size:,} records")
    about = {
        "log": shape.log,
        "key": signer(shape.log).verifier_key,
        "records": shape.records,
        "segments": count,
        "stored": stored_bytes,
        "person": Company(shape.seed, shape.people).people[0],
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n")


def _key(shape: Shape) -> str:
    """Return a name that changes with the shape, and when the code no longer makes the same bytes."""
    sample = sha256()
    for name, stored, _ in segments(replace(shape, records=min(SAMPLE, shape.records), days=1)):
        sample.update(name.encode() + stored)
    whole = sha256(canonical(asdict(shape)) + sample.digest())
    return f"{shape.records}-records-{shape.days}-days-{whole.hexdigest()[:12]}"


def _all_lines(shape: Shape) -> Iterator[Timed]:
    """Yield all records as lines, each with its time, in order."""
    yield BEGIN, _opened(shape)
    waiting: list[tuple[datetime, int, bytes]] = []  # what lasts into the next part is merged with it
    numbers = itertools.count()
    for begin, lines in _drawn(_parts(shape)):
        while waiting and waiting[0][0] < begin:
            at, _, line = heapq.heappop(waiting)
            yield at, line
        for at, line in lines:
            heapq.heappush(waiting, (at, next(numbers), line))
    while waiting:
        at, _, line = heapq.heappop(waiting)
        yield at, line


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a log's time, drawn by itself, so that each core can draw one."""

    shape: Shape
    number: int
    begin: datetime
    length: timedelta
    stories: int


def _parts(shape: Shape) -> list[_Part]:
    """Cut the time of a log into parts, with a few stories more than are needed."""
    about = shape.records / STORY
    stories = int(about + about**0.5) + 2
    parts = max(1, min(shape.days * 24, stories // 500))
    length = timedelta(days=shape.days) / parts
    shares = [stories * (number + 1) // parts - stories * number // parts for number in range(parts)]
    return [_Part(shape, number, BEGIN + length * number, length, share) for number, share in enumerate(shares)]


def _drawn(parts: Sequence[_Part]) -> Iterator[tuple[datetime, list[Timed]]]:
    if len(parts) == 1:
        yield _draw(parts[0])
        return
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        yield from pool.imap(_draw, parts)


def _draw(part: _Part) -> tuple[datetime, list[Timed]]:
    """Return when a part begins, and the lines of all stories that begin in it, in the order of their times."""
    shape = part.shape
    chance = random.Random(f"{shape.seed}/{part.number}")  # noqa: S311  to be had again, not secret
    company = Company(shape.seed, shape.people)
    company.begin(part.number)
    lines: list[Timed] = []
    left = part.stories
    while left:
        # Requests come alone or in waves: an incident, a release. Who acts in one, acts about when the others do.
        largest = min(shape.wave, shape.records / STORY / 20)
        wave = min(left, max(1, round(chance.expovariate(1 / largest))) if chance.random() < 0.7 else 1)
        left -= wave
        at = part.begin + part.length * chance.random()
        shift = timedelta(seconds=chance.uniform(2, 1800))
        duration = chance.choice(DURATIONS)
        for _ in range(wave):
            start = at + timedelta(milliseconds=chance.randrange(200) if wave > 1 else 0)
            lines += ((when, record.line()) for when, record in company.story(start, shift, duration))
    lines.sort(key=itemgetter(0))  # what happens at one time stays in its order
    return part.begin, lines


def _opened(shape: Shape) -> bytes:
    return make_record(
        "audit.opened",
        at=BEGIN,
        actor=CURFEW,
        message=f"The log {shape.log} begins.",
        subject=shape.log,
        detail={"verifier_key": signer(shape.log).verifier_key},
    ).line()


def _groups(shape: Shape, lines: Iterable[Timed]) -> Iterator[tuple[datetime, list[bytes]]]:
    """Put together what the writer would have put together, with the time at which it is sealed."""
    group: list[bytes] = []
    size = 0
    first = at = BEGIN
    for when, line in lines:
        if group and (when > first + TOGETHER or len(group) == MOST_RECORDS or size + len(line) > MOST_BYTES):
            yield at, group
            group, size = [], 0
        if not group:
            first = when
        group.append(line)
        size += len(line)
        at = when
    if group:
        yield at, group


def main(arguments: list[str]) -> int:
    """Make a log and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m bench.logs", description="Make a large log to measure with.")
    defaults = Shape(1_000_000)
    for name in ("records", "days", "wave", "heartbeat", "heartbeat_days", "people", "seed"):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name), help="(default: %(default)s)"
        )
    about = made(replace(defaults, **vars(parser.parse_args(arguments))))
    print(about.folder)
    print(f"--log {about.log} --key {about.key}")
    print(
        f"{about.records:,} records in {about.segments:,} segments, {about.stored:,} bytes; {about.person} asks in it"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
