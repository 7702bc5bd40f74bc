"""A thousand random tamperings are found by both verifiers, and neither of a thousand random logs is refused by any.

`make soak` tries all of them, other runs a tenth, drawn by CURFEW_SEED.

Each is made of a text that stands in the message where it fails, so that it can be made again.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from curfew.audit.canonical import canonical, parse_canonical
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor
from curfew.audit.places import in_order
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import TRAILER_BYTES, unpack
from curfew.audit.segment_summary import summaries
from curfew.audit.walk import Walk
from tests.support.logs import BEGIN, ALog, a_record, a_signer, opened
from tests.support.scale import drawn
from tools import verify_independently as independent

STRANGER = a_signer(seed=99)
Objects = dict[str, bytes]


def chance(made_of: str) -> random.Random:
    """Return what makes the same choices each time."""
    return random.Random(made_of)  # noqa: S311  nothing is secret here


@dataclass
class RandomLog(ALog):
    """A log of some segments, of which some hold nothing; it may go from key to key, and rubbish may lie in its way.

    With `twist` it is another history with the same beginning: one more segment stands at one of its places.
    """

    made_of: str = ""
    twist: bool = False

    def __post_init__(self) -> None:
        """Write it."""
        super().__post_init__()
        rng = chance(self.made_of)
        self.append([opened(self.signer), *some_records(rng)])
        rounds = range(2, rng.randint(3, 6))
        twisted = rng.choice(rounds)
        for seed in rounds:
            if self.twist and seed == twisted:
                self.append([a_record(0)])
            match rng.randrange(5):
                case 0:
                    self.hand_over(a_signer(seed=seed), some_records(rng))
                case 1:
                    self.append()
                case 2:
                    rubbish = rng.randbytes(rng.randint(0, 100))
                    self.objects[self.head.next_name()] = rubbish
                    self.heads.append(self.head.voided(rubbish))
            self.append(some_records(rng, at_least=1))

    def grown(self) -> ALog:
        """Return a copy to go on with."""
        return ALog(self.log, self.signer, dict(self.objects), list(self.heads))


def some_records(rng: random.Random, at_least: int = 0) -> list[Record]:
    """Return records that no other call returns."""
    return [a_record(rng.getrandbits(60), at=BEGIN) for _ in range(rng.randint(at_least, 3))]


def both_find(folder: Path, objects: Mapping[str, bytes], key: Verifier, anchor: Receipt | None) -> tuple[bool, bool]:
    """Say whether each of the verifiers finds anything wrong with a log; ours in one process or in many."""
    anchors = [Anchor.of_receipt(anchor, "the receipt")] if anchor is not None else []
    in_place = [(name, objects[name]) for name in in_order("main", objects)]
    alone, together = Walk("main", key, anchors), Walk("main", key, anchors)
    for (name, stored), summary in zip(in_place, summaries(in_place, key, "main"), strict=True):
        alone.take(name, stored)
        together.take(name, stored, summary)
    examined = alone.finish()
    assert together.finish() == examined
    for name, stored in objects.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stored)
    try:
        independent.verify(folder, "main", str(key), [anchor.compact()] if anchor is not None else [])
    except independent.Refused:
        return bool(examined.findings), True
    return bool(examined.findings), False


@pytest.mark.parametrize("hundred", range(10))
def test_a_log_that_was_left_alone_is_never_refused(hundred: int, tmp_path: Path) -> None:
    for number in drawn(range(100), f"left alone {hundred}"):
        made_of = f"left alone {hundred} {number}"
        log, rng = RandomLog(made_of=made_of), chance(made_of)
        key = rng.choice([a_signer(), log.signer]).verifier
        anchor = log.receipt(rng.randrange(log.head.range.size))

        assert both_find(tmp_path / str(number), log.objects, key, anchor) == (False, False), made_of


# --- what is done to a log: each returns the objects, and whether an anchor is needed to see it

Tampering = Callable[[random.Random, RandomLog], tuple[Objects, bool]]


def segments(log: ALog) -> list[str]:
    """Return the names of what is not void."""
    return [name for name, stored in log.objects.items() if len(stored) > 2 * TRAILER_BYTES]


def altered(change: Callable[[random.Random, bytearray], None]) -> Tampering:
    """Return what changes the bytes of one segment."""

    def tamper(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
        name = rng.choice(segments(log))
        stored = bytearray(log.objects[name])
        while stored == log.objects[name]:
            change(rng, stored)
        return {**log.objects, name: bytes(stored)}, False

    return tamper


def a_byte(rng: random.Random, stored: bytearray) -> None:
    stored[rng.randrange(len(stored))] ^= rng.randint(1, 255)


def bytes_removed(rng: random.Random, stored: bytearray) -> None:
    at = rng.randrange(len(stored))
    del stored[at : at + rng.randint(1, 40)]


def bytes_inserted(rng: random.Random, stored: bytearray) -> None:
    at = rng.randrange(len(stored) + 1)
    stored[at:at] = rng.randbytes(rng.randint(1, 40))


def cut_short(rng: random.Random, stored: bytearray) -> None:
    del stored[rng.randrange(len(stored)) :]


def records(change: Callable[[random.Random, list[bytes]], None]) -> Tampering:
    """Return what changes the records of one segment, packs it anew and keeps the signature."""

    def tamper(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
        holding = [name for name in segments(log) if len(lines_of(log, name)) > 2]
        if not holding:
            log.append([a_record(1), a_record(2), a_record(3)])
        name = rng.choice(holding or log.names[-1:])
        *lines, seal = lines_of(log, name)
        before = list(lines)
        while lines == before:
            change(rng, lines)
        content = b"".join(line + b"\n" for line in (*lines, seal))
        frame = zstandard.ZstdCompressor(level=9, write_checksum=True, write_content_size=True).compress(content)
        return {**log.objects, name: frame + log.objects[name][-TRAILER_BYTES:]}, False

    return tamper


def lines_of(log: ALog, name: str) -> list[bytes]:
    return unpack(log.objects[name][:-TRAILER_BYTES]).splitlines()


def a_record_changed(rng: random.Random, lines: list[bytes]) -> None:
    at = rng.randrange(len(lines))
    lines[at] = lines[at].replace(b"alice", b"mallory", rng.randint(1, 3)).replace(b"begins", b"began")


def a_record_removed(rng: random.Random, lines: list[bytes]) -> None:
    del lines[rng.randrange(len(lines))]


def a_record_added(rng: random.Random, lines: list[bytes]) -> None:
    lines.insert(rng.randrange(len(lines) + 1), a_record(rng.getrandbits(60)).line())


def a_record_doubled(rng: random.Random, lines: list[bytes]) -> None:
    lines.append(rng.choice(lines))


def records_reordered(rng: random.Random, lines: list[bytes]) -> None:
    rng.shuffle(lines)


def a_segment_removed(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    name = rng.choice(log.names)
    left = {other: stored for other, stored in log.objects.items() if other != name}
    return left, name == log.names[-1]


def the_end_cut_off(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    keep = rng.randrange(len(log.names))
    return {name: log.objects[name] for name in log.names[:keep]}, True


def two_segments_swapped(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    one, other = rng.sample(segments(log), 2)
    return {**log.objects, one: log.objects[other], other: log.objects[one]}, False


def a_segment_in_place_of_another(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    one, other = rng.sample(segments(log), 2)
    return {**log.objects, one: log.objects[other]}, False


def elsewhere(rng: random.Random, name: str) -> str:
    """Return another name that a segment could have."""
    return rng.choice(
        [
            re.sub(r"dt=\d{4}", "dt=2031", name),
            re.sub(r"-\w{16}\.", f"-{rng.getrandbits(64):016x}.", name),
            f"{name}.zst",
        ]
    )


def a_segment_doubled(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    name = rng.choice(log.names)
    return {**log.objects, elsewhere(rng, name): log.objects[name]}, False


def a_segment_moved(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    name = rng.choice(log.names)
    moved = elsewhere(rng, name)
    return {(moved if other == name else other): stored for other, stored in log.objects.items()}, False


def something_added(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    seq = rng.randrange(len(log.names) + 3)
    name = f"v1/log=main/dt=2026-11-{rng.randint(10, 30)}/{seq:012d}-{rng.getrandbits(64):016x}.jsonl.zst"
    return {**log.objects, name: rng.choice([b"", rng.randbytes(200), log.objects[log.names[-1]]])}, False


def the_next_place_taken(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    return {**log.objects, log.head.next_name(): rng.randbytes(rng.randint(0, 300))}, False


def a_fork(_: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """Another history of the same keys lies beside the one that was."""
    return {**RandomLog(made_of=log.made_of, twist=True).objects, **log.objects}, False


def history_written_anew(_: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """Whoever holds the keys writes another history."""
    return RandomLog(made_of=log.made_of, twist=True).objects, True


def times_shifted(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """Whoever holds the keys writes the same, some hours later."""
    later = BEGIN + timedelta(hours=rng.randint(1, 100))
    anew = ALog()
    for name in segments(log):
        told = [parse_canonical(line) for line in lines_of(log, name)[:-1]]
        anew.append_lines([canonical({**body, "time": int(later.timestamp() * 1000)}) for body in told], later)
    return anew.objects, True


def sealed_by_a_stranger(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """One segment says the same or another thing, sealed by another key."""
    name = rng.choice(segments(log))
    before = ALog(signer=STRANGER)
    before.heads = [log.heads[log.names.index(name)]]
    lines = lines_of(log, name)[:-1]
    before.append_lines(rng.choice([lines, lines[1:], [*lines, a_record(7).line()]]), BEGIN + timedelta(days=1))
    return {**log.objects, name: before.objects[name]}, False


def all_sealed_by_a_stranger(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    anew = ALog(signer=STRANGER)
    for name in segments(log):
        lines = lines_of(log, name)[:-1]
        anew.append_lines([opened(STRANGER).line()] if not anew.objects and rng.random() < 0.5 else lines)
    return anew.objects, False


def the_log_of_another_cluster(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """All of it is another's, which has the same name, or had another."""
    other = ALog(signer=STRANGER) if rng.random() < 0.5 else ALog("other", a_signer("other"))
    other.append([opened(other.signer, other.log)])
    other.append(some_records(rng, at_least=1))
    return {name.replace("log=other", "log=main"): stored for name, stored in other.objects.items()}, False


def a_retired_key_goes_on(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """The log was handed over; the old key, or another, seals once more."""
    anew = log.grown()
    anew.hand_over(a_signer(seed=50))
    anew.append([a_record(1)])
    anew.signer = rng.choice([log.signer, STRANGER])
    anew.append([a_record(2)])
    return anew.objects, False


def handed_to_a_stranger(rng: random.Random, log: RandomLog) -> tuple[Objects, bool]:
    """A stranger hands the log over to another and goes on."""
    anew = log.grown()
    anew.signer = STRANGER
    anew.hand_over(a_signer(seed=50), some_records(rng))
    anew.append([a_record(1)])
    return anew.objects, False


TAMPERINGS: dict[str, Tampering] = {
    "a byte is changed": altered(a_byte),
    "bytes are removed": altered(bytes_removed),
    "bytes are inserted": altered(bytes_inserted),
    "a segment is cut short": altered(cut_short),
    "a record is changed": records(a_record_changed),
    "a record is removed": records(a_record_removed),
    "a record is added": records(a_record_added),
    "a record is doubled": records(a_record_doubled),
    "records are reordered": records(records_reordered),
    "a segment is removed": a_segment_removed,
    "the end is cut off": the_end_cut_off,
    "two segments are swapped": two_segments_swapped,
    "a segment is in place of another": a_segment_in_place_of_another,
    "a segment is doubled": a_segment_doubled,
    "a segment is moved": a_segment_moved,
    "something is added": something_added,
    "the next place is taken": the_next_place_taken,
    "a fork lies beside": a_fork,
    "history is written anew": history_written_anew,
    "times are shifted": times_shifted,
    "a stranger seals a segment": sealed_by_a_stranger,
    "a stranger seals all": all_sealed_by_a_stranger,
    "the log is that of another cluster": the_log_of_another_cluster,
    "a retired key goes on": a_retired_key_goes_on,
    "it is handed to a stranger": handed_to_a_stranger,
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_each_of_forty_tamperings_of_a_kind_is_found_by_both(tampering: str, tmp_path: Path) -> None:
    for number in drawn(range(40), tampering):
        made_of = f"{tampering} {number}"
        log, rng = RandomLog(made_of=made_of), chance(made_of)
        objects, needs_anchor = TAMPERINGS[tampering](rng, log)
        assert objects != log.objects, made_of
        anchor = log.receipt(log.head.range.size - 1) if needs_anchor else None

        found = both_find(tmp_path / str(number), objects, a_signer().verifier, anchor)

        assert found == (True, True), made_of
