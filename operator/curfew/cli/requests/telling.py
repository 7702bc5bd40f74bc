"""Labelled lines about a request: who asks for what, until when, why, and what is risky about it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from curfew.api.time_text import parse_duration
from curfew.cli.requests.output import labelled, say
from curfew.core.guidance import rules as rule_words
from curfew.core.guidance.objects import ShownRequest
from curfew.core.guidance.times import both_ways
from curfew.core.guidance.waiting import due, waits_for


def tell_request(request: ShownRequest, now: datetime) -> None:
    """Print what a request is about."""
    say(f"AccessRequest {request.name} in namespace {request.namespace}: {request.phase or 'new'}")
    labelled("Who", request.requester)
    if request.submitted_by != request.requester:
        labelled("Asked by", request.submitted_by)
    labelled(
        "What", f"{str(request.role) or 'the role'} in namespace {request.namespace}, under policy {request.policy}"
    )
    labelled("For", how_long(request, now))
    labelled("Reason", request.reason)
    labelled("Ticket", request.ticket)
    labelled(
        "Approvals", request.approvals if request.mode in ("", "Review") else f"nobody has to agree ({request.mode})"
    )
    labelled("Waits for", waits_for(request))
    labelled("When", due(request, now))
    if request.terms:
        labelled("Risk", *(risks_in_words(request.risk) or ["none that Curfew knows"]))


def how_long(request: ShownRequest, now: datetime) -> str:
    """Return how long the access is to last, and until when if that is not known yet."""
    asked = request.duration
    if request.not_before is not None and request.granted_at is None:
        asked += f", from {both_ways(request.not_before, now)}"
    if request.not_after is not None:
        asked += f", at most until {both_ways(request.not_after, now)}"
    if request.is_open and request.granted_at is None and (until := _if_granted_now(request, now)) is not None:
        asked += f"; if it is granted now, it ends {both_ways(until, now)}"
    return asked


def _if_granted_now(request: ShownRequest, now: datetime) -> datetime | None:
    try:
        ends = max(now, request.not_before or now) + parse_duration(request.duration)
    except (ValueError, OverflowError):
        return None
    return min(ends, request.not_after) if request.not_after is not None else ends


def risks_in_words(words: Iterable[str]) -> list[str]:
    """Return each risk with its reason. A word that this version does not know is shown as it is."""
    from curfew.core.risk_table import MEANINGS  # only here: it is large, and help needs none of it

    return [f"{word}: {MEANINGS[word].why}" if word in MEANINGS else word for word in words]


def tell_rules(rules: Iterable[Mapping[str, Any]] | None) -> None:
    """Print what the rules of a role allow, or that they may not be read."""
    if rules is None:
        labelled(
            "Allows", "(you may not read the role, or it is gone; Curfew has read it, and found the risk that is shown)"
        )
        return
    labelled("Allows", *(list(rule_words.in_words(rules)) or ["nothing: the role has no rules"]))
