"""The records of the corpus have the shapes of those that the operator and the monitor write."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest

from curfew.audit.checkpoint import Verifier
from curfew.audit.events import EVENTS
from curfew.audit.places import in_order
from curfew.audit.record import Record
from curfew.audit.segment import Segment
from curfew.audit.walk import Walk
from curfew.reader.stream import read_record
from tests.corpus.generating import Corpus
from tests.recorded.recording import LOG, Recording

Shape = tuple[frozenset[str], frozenset[str]]

OPTIONAL = frozenset({"ticket", "not_before", "needed", "stages", "reason_length", "risk"})
"""What a record has only if the request or the policy has it."""


@pytest.fixture(scope="module")
def recorded() -> Mapping[str, set[Shape]]:
    """Return the shapes of the records that the real operator wrote, by event."""
    recording, segments = Recording.load(), list[Segment]()
    walk = Walk(LOG, Verifier.parse(recording.key), accepted=segments.append)
    for name in in_order(LOG, recording.objects):
        walk.take(name, recording.objects[name])
    lines = (line for segment in segments for line in segment.lines)
    return _shapes(record for record in map(read_record, lines) if record is not None)


def test_the_operator_writes_records_of_each_shape_that_the_trail_has(
    corpus: Corpus, recorded: Mapping[str, set[Shape]]
) -> None:
    """What the recorded log has no event of is as the catalogue has it."""
    shapes = _shapes(corpus.trail)
    strange = {
        event: [tuple(map(sorted, shape)) for shape in those - recorded[event]]
        for event, those in shapes.items()
        if event in recorded and those - recorded[event]
    }

    assert strange == {}
    assert len(set(shapes) & set(recorded)) >= 15


def test_every_record_has_only_what_the_catalogue_has_of_its_event(corpus: Corpus) -> None:
    """In either log."""
    for record in (*corpus.trail, *corpus.activity):
        assert set(record.block.get("detail", ())) <= set(EVENTS[record.event].detail), record.event


def _shapes(records: Iterable[Record]) -> Mapping[str, set[Shape]]:
    """Return which fields the details and the stories of records have, by event."""
    found: defaultdict[str, set[Shape]] = defaultdict(set)
    for record in records:
        found[record.event].add(
            (
                frozenset(record.block.get("detail", ())) - OPTIONAL,
                frozenset(record.block.get("story", ())) - OPTIONAL,
            )
        )
    return found
