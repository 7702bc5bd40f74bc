"""What a report shows of a request, and what has to be found of it, in one form."""

from collections.abc import Mapping, Sequence

from curfew.evidence.account import Account
from curfew.evidence.exception_kinds import Exceptional
from tests.recorded.expected import Expected
from tests.recorded.recording import Named

Shown = Mapping[str, str]


def shown(account: Account, exceptions: Sequence[Exceptional], named: Named) -> Shown:
    """Return what a report shows of a request; of people, their first names."""

    def is_about(one: Exceptional) -> bool:
        return (one.namespace, one.request) == (named.namespace, named.request)

    decisions = [one for one in account.decisions if (one.namespace, one.request) == (named.namespace, named.request)]
    told = {
        "decided": ", ".join(f"{_first(one.by)} {one.decision} {one.effect}" for one in decisions),
        "findings": " ".join(str(one.kind) for one in exceptions if is_about(one)),
    }
    grants = [one for one in account.grants if one.story.uid == named.uid]
    if not grants:
        return told
    (grant,) = grants
    story = grant.story
    return {
        **told,
        "requester": _first(story.requester),
        "submitter": "" if story.submitted_by == story.requester else _first(story.submitted_by),
        "how": str(grant.mode),
        "approvers": " ".join(map(_first, grant.approvers)),
        "ended_by": grant.end.event if grant.end is not None else "",
        "reason": story.end_reason or "",
    }


def wanted(expected: Expected) -> Shown:
    """Return what a report has to show of a request."""
    told = {"decided": expected.decided, "findings": expected.findings}
    if not expected.is_granted:
        return told
    names = ("requester", "submitter", "how", "approvers", "ended_by", "reason")
    return {**told, **{name: getattr(expected, name) for name in names}}


def _first(name: str | None) -> str:
    return (name or "").removesuffix("@example.com")
