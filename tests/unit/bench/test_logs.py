"""The logs that are measured with are real logs: they verify, their stories are whole, and they can be had again."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from bench.logs import BEGIN, Shape, made, segments, signer
from bench.stories import Company
from curfew.audit.record import Record, Story
from curfew.audit.segment import Head, Segment, follow
from curfew.audit.verify import verify

SHAPE = Shape(600, days=5)


def read(shape: Shape) -> list[Segment]:
    """Return the segments of a log, after making sure that it verifies."""
    objects = [(name, stored) for name, stored, _ in segments(shape)]
    verify(shape.log, objects, signer(shape.log).verifier)
    head, found = Head.genesis(shape.log), []
    for name, stored in objects:
        segment, head = follow(head, name, stored, signer(shape.log).verifier)
        found.append(segment)
    return found


def records(shape: Shape) -> list[Record]:
    """Return the records of a log."""
    return [Record.parse(body) for segment in read(shape) for body in segment.bodies]


def test_a_log_has_as_many_records_as_asked_for_spread_over_its_days() -> None:
    found = records(SHAPE)

    assert len(found) == 600
    assert found[0].event == "audit.opened"
    assert [record.at for record in found] == sorted(record.at for record in found)
    assert timedelta(days=3) < found[-1].at - BEGIN < timedelta(days=6)


def test_equal_shapes_are_equal_logs_and_others_are_not() -> None:
    assert list(segments(SHAPE)) == list(segments(Shape(600, days=5)))
    assert list(segments(SHAPE)) != list(segments(Shape(600, days=5, seed=2)))


def test_the_parts_of_a_log_that_are_drawn_apart_fit_together() -> None:
    """A log of this size is drawn by several processes."""
    found = records(Shape(9_000, days=2))

    assert len({record.id for record in found}) == 9_000
    assert [record.at for record in found] == sorted(record.at for record in found)


def test_segments_are_of_many_sizes() -> None:
    sizes = Counter(len(segment.lines) for segment in read(Shape(3_000, days=5)))

    assert sizes[1] + sizes[2] + sizes[3] > 20
    assert max(sizes) > 30
    assert max(len(segment.lines) for segment in read(Shape(100, days=900, wave=1))) < 8


def test_a_silent_log_shows_signs_of_life_where_it_is_to() -> None:
    quiet = Shape(200, days=3, heartbeat=3600)
    beats = [segment.at for segment in read(quiet) if not segment.lines]
    late = [segment.at for segment in read(Shape(200, days=3, heartbeat=3600, heartbeat_days=1)) if not segment.lines]

    assert len(beats) > 24
    assert late
    assert min(late) >= BEGIN + timedelta(days=2) > min(beats)


def test_stories_are_told_to_their_end_and_end_in_many_ways() -> None:
    company = Company(seed=1)
    stories = [[record for _, record in company.story(BEGIN)] for _ in range(300)]

    for story in stories:
        assert [record.event for record in story][:2] == ["request.created", "request.accepted"]
        assert story[-1].event == "request.closed"
        assert [record.at for record in story] == sorted(record.at for record in story)
        assert len({record.id for record in story}) == len(story)
    ends = Counter(Story.of(story[-1]).end_reason for story in stories)
    assert ends.most_common(1)[0][0] == "DurationElapsed"
    assert len(ends) == 6


def test_what_happens_at_one_time_stays_in_its_order() -> None:
    stories: dict[str, list[str]] = {}
    for record in records(Shape(3_000, days=5))[1:]:
        stories.setdefault(record.subject, []).append(record.event)

    whole = [events for events in stories.values() if "request.closed" in events]
    assert len(whole) > 200
    assert all(events[-1] == "request.closed" for events in whole)


def test_nobody_agrees_to_what_they_asked_for() -> None:
    company = Company(seed=1)
    for _ in range(300):
        told = Story.of([record for _, record in company.story(BEGIN)][-1])
        assert told.requester not in {one.by for one in told.decisions if one.decision == "Approve"}


def test_a_log_is_made_once_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = made(SHAPE, tmp_path)
    written = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.zst")}
    again = made(SHAPE, tmp_path)
    other = made(Shape(50), tmp_path)

    assert again == first
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("*.zst")} == written
    assert other.folder != first.folder
    assert (first.segments, first.stored) == (len(written), sum(path.stat().st_size for path in written))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.folder.parent.name for one in (first, other))


def test_a_log_that_was_not_finished_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, text: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(OSError, match="No space"):
        made(SHAPE, tmp_path)
    monkeypatch.undo()

    assert list(tmp_path.iterdir()) == []
    assert made(SHAPE, tmp_path).records == 600
