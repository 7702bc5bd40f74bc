"""What the monitors make of a run: the API server's log, a watch of the bindings, and the trail, merged and judged."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from curfew.audit.checkpoint import Verifier
from curfew.audit.places import in_order
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import Segment
from curfew.audit.walk import Walk
from curfew.cli.audit.api_log import read_api_logs
from curfew.core.bindings import read_binding
from curfew.evidence.history.breach import JudgedPromise
from curfew.evidence.history.facts import BindingUnwatched, BindingWatched, RecordTold
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.lines import ReadingCounts
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.sights import Sights

LOG = "main"


@dataclass
class ChaosVerdict:
    """What was found. `problems` are sentences; a run without any has kept all promises."""

    judgement: HistoryJudgement
    problems: list[str] = field(default_factory=list)


def verdict(
    logs: Sequence[Path], evidence: Evidence, sights: Sights, namespace: str, terms: JudgingTerms
) -> ChaosVerdict:
    """Judge what happened in a namespace."""
    history = MergedHistory(terms)
    segments = _segments(evidence)
    for segment in segments:
        for index, body in enumerate(segment.bodies, segment.first):
            if _is_of(record := Record.parse(body), namespace):
                history.take(RecordTold(index, segment.at, record))
    history.take_all(_watched(sights, namespace))
    counts = ReadingCounts()
    with ExitStack() as stack:
        for at, fact in read_api_logs([str(log) for log in logs], counts, stack):
            history.cover_calls(at)
            if fact is not None and getattr(fact, "namespace", namespace) == namespace:
                history.take(fact)
    for segment in (segments[0], segments[-1]):
        history.cover_trail(segment.at)
    judgement = history.judge()
    problems = [f"{one.promise}: {one.sentence}" for promise in JudgedPromise for one in judgement.breaches[promise]]
    problems += [f"record {id_} is in the log twice" for id_ in evidence.twice]
    return ChaosVerdict(judgement, problems)


def _segments(evidence: Evidence) -> list[Segment]:
    segments = list[Segment]()
    walk = Walk(LOG, Verifier.parse(evidence.key), accepted=segments.append)
    for name in in_order(LOG, evidence.objects):
        walk.take(name, evidence.objects[name])
    walk.finish()
    return segments


def _watched(sights: Sights, namespace: str) -> Iterator[BindingWatched | BindingUnwatched]:
    for uid, history in sights.bindings.history.items():
        for sight in history:
            binding = read_binding(sight.body)
            if binding.namespace != namespace:
                continue
            if sight.type == "DELETED":
                yield BindingUnwatched(sight.at, binding.claim, uid)
            else:
                yield BindingWatched(sight.at, binding.claim, uid, binding.expires_at, _index(binding.receipt))


def _index(receipt: Receipt | None) -> int | None:
    return receipt.index if receipt is not None else None


def _is_of(record: Record, namespace: str) -> bool:
    story = record.block.get("story")
    return not isinstance(story, dict) or story.get("namespace") == namespace
