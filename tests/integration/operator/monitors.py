"""The monitors over histories, for what real servers wrote: the audit log of the API server, and an operator's log."""

import json
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

from curfew.api import names
from curfew.audit.checkpoint import Verifier
from curfew.audit.places import in_order
from curfew.audit.record import Record
from curfew.audit.segment import Segment
from curfew.audit.walk import Walk
from curfew.cli.audit.api_log import read_api_logs
from curfew.evidence.history.facts import RecordTold
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.lines import ReadingCounts
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms
from tests.integration.operator.evidence import Evidence


def judged(audit_log: Path, evidence: Evidence, namespace: str, log: str = "main") -> HistoryJudgement:
    """Return what both logs show of the requests of a namespace: each operator has a log of its own."""
    history = MergedHistory(JudgingTerms())
    segments = list[Segment]()
    walk = Walk(log, Verifier.parse(evidence.key), accepted=segments.append)
    for name in in_order(log, evidence.objects):
        walk.take(name, evidence.objects[name])
    walk.finish()
    for segment in segments:
        for index, body in enumerate(segment.bodies, segment.first):
            if _is_of(record := Record.parse(body), namespace):
                history.take(RecordTold(index, segment.at, record))
    counts = ReadingCounts()
    with ExitStack() as stack:
        for at, fact in read_api_logs([str(audit_log)], counts, stack):
            history.cover_calls(at)
            if fact is not None and getattr(fact, "namespace", namespace) == namespace:
                history.take(fact)
    assert counts.unreadable == 0, counts.places
    for segment in (segments[0], segments[-1]):
        history.cover_trail(segment.at)
    return history.judge()


def cut_short(audit_log: Path, namespace: str) -> set[str]:
    """Return the UIDs of the requests whose binding was to be deleted by a call that ended with an error of the server.

    If its client is killed, it may have been carried out, and the next life finds nothing to delete: its end is not clear.
    """
    with audit_log.open() as lines:
        events = [json.loads(line) for line in lines if '"rolebindings"' in line and line.endswith("\n")]
    return {
        names.granted_by(event["objectRef"]["name"]) or ""
        for event in events
        if (event["verb"], event["objectRef"].get("namespace")) == ("delete", namespace)
        and event.get("responseStatus", {}).get("code", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    }


def _is_of(record: Record, namespace: str) -> bool:
    story = record.block.get("story")
    return not isinstance(story, dict) or story.get("namespace") == namespace
