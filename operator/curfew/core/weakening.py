"""How two versions of a policy differ, in words, and whether the new version asks for less or allows more.

The list at the end is the whole rule. Each entry compares one setting of a policy. It reports in words how the setting was
changed, and whether that loosens the policy. If two values cannot be compared, for example two roles, the change counts as
looser: only a person can see that it is not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curfew.api.access_policy import AccessPolicySpec, Approval, Mode, OnEnd, OnRoleChange, WhenNotRecorded
from curfew.api.times import format_duration

BEFORE_IS_NOT_KNOWN = "how the policy was before is not known"

STRICTNESS = (Mode.AUTOMATIC, Mode.BREAK_GLASS, Mode.REVIEW)
"""The modes, from the one that asks nobody to the one that asks before it grants."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting of a policy that was changed, in words, and whether the policy is looser than before."""

    words: str
    loosens: bool


Compare = Callable[[AccessPolicySpec, AccessPolicySpec], Iterator[Difference]]


def differences(before: AccessPolicySpec, now: AccessPolicySpec) -> tuple[Difference, ...]:
    """Return how a policy was changed, in the order of the list below; nothing for settings that are the same."""
    return tuple(difference for compare in COMPARISONS for difference in compare(before, now))


def is_weaker(found: tuple[Difference, ...]) -> bool:
    """Whether any difference loosens the policy. Tightening another setting does not make up for that."""
    return any(difference.loosens for difference in found)


def role(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Another role may allow anything."""
    was, is_ = (f"{spec.role_ref.kind} {spec.role_ref.name}" for spec in (before, now))
    if was != is_:
        yield Difference(f"the role is {is_}, was {was}", loosens=True)


def permanence(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Whether the policy may offer a role that allows making access that outlives the grant."""
    if before.allow_permanence is not now.allow_permanence:
        words = f"allowPermanence is {_yes(now.allow_permanence)}, was {_yes(before.allow_permanence)}"
        yield Difference(words, loosens=now.allow_permanence)


def role_changes(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """`Keep` lets a grant continue with rules that nobody agreed to."""
    if before.on_role_change is not now.on_role_change:
        words = f"onRoleChange is {now.on_role_change}, was {before.on_role_change}"
        yield Difference(words, loosens=now.on_role_change is OnRoleChange.KEEP)


def ends(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """`Report` leaves connections open that outlast the grant."""
    if before.on_end is not now.on_end:
        yield Difference(f"onEnd is {now.on_end}, was {before.on_end}", loosens=now.on_end is OnEnd.REPORT)


def longest(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How long a grant may last."""
    if before.max_duration != now.max_duration:
        words = f"maxDuration is {format_duration(now.max_duration)}, was {format_duration(before.max_duration)}"
        yield Difference(words, loosens=now.max_duration > before.max_duration)


def time_to_decide(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """The time that people have to agree. It changes how long people wait, not what they may get."""
    if before.decide_within != now.decide_within:
        words = f"decideWithin is {format_duration(now.decide_within)}, was {format_duration(before.decide_within)}"
        yield Difference(words, loosens=False)


def lead_time(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How far ahead an access may be approved."""
    if before.max_lead_time != now.max_lead_time:
        words = f"maxLeadTime is {format_duration(now.max_lead_time)}, was {format_duration(before.max_lead_time)}"
        yield Difference(words, loosens=now.max_lead_time > before.max_lead_time)


def mode(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Whether people are asked, before or afterwards."""
    was, is_ = before.approval.mode, now.approval.mode
    if was is not is_:
        words = f"approval.mode is {is_}, was {was}"
        yield Difference(words, loosens=STRICTNESS.index(is_) < STRICTNESS.index(was))


def unrecorded(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Whether a broken glass waits for its record."""
    was, is_ = before.approval.when_not_recorded, now.approval.when_not_recorded
    if was is not is_:
        words = f"approval.whenNotRecorded is {is_}, was {was}"
        yield Difference(words, loosens=is_ is WhenNotRecorded.GRANT)


def people(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How many have to agree, in all and for each stage. Other modes ask nobody."""
    was, is_ = before.approval, now.approval
    if not (was.mode is is_.mode is Mode.REVIEW):
        return
    if _needed(was) != _needed(is_):
        yield Difference(f"{_needed(is_)} must agree, was {_needed(was)}", loosens=_needed(is_) < _needed(was))
    counts_before, counts_now = ({stage.name: stage.count for stage in approval.stages} for approval in (was, is_))
    for name in sorted(counts_before.keys() | counts_now.keys()):
        old, new = counts_before.get(name, 0), counts_now.get(name, 0)
        if old != new:
            yield Difference(f"of stage {name} {new} must agree, was {old}", loosens=new < old)


def groups(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Which groups approvers must belong to. No group means that the verb is enough."""
    was, is_ = (
        {"": frozenset(spec.approval.groups)} | {stage.name: frozenset(stage.groups) for stage in spec.approval.stages}
        for spec in (before, now)
    )
    for name in sorted(was.keys() & is_.keys()):
        if was[name] != is_[name]:
            of_stage = f"stage {name}" if name else "the policy"
            words = f"the groups of {of_stage} are {_list(is_[name])}, were {_list(was[name])}"
            yield Difference(words, loosens=bool(was[name]) and not (is_[name] and is_[name] < was[name]))


def reason(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How long the requester's reason must be."""
    was, is_ = before.reason.min_length, now.reason.min_length
    if was != is_:
        yield Difference(f"reason.minLength is {is_}, was {was}", loosens=is_ < was)


def reason_of_approvers(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How long the reason of the people who decide must be."""
    was, is_ = (spec.approval.reason.min_length if spec.approval.reason else 0 for spec in (before, now))
    if was != is_:
        yield Difference(f"approval.reason.minLength is {is_}, was {was}", loosens=is_ < was)


def ticket(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Whether a ticket has to be named, and what it has to look like."""
    if before.ticket.required is not now.ticket.required:
        words = f"ticket.required is {_yes(now.ticket.required)}, was {_yes(before.ticket.required)}"
        yield Difference(words, loosens=not now.ticket.required)
    was, is_ = before.ticket.pattern, now.ticket.pattern
    if was != is_:
        words = f"ticket.pattern is {is_ or 'not set'}, was {was or 'not set'}"
        yield Difference(words, loosens=was is not None)  # nobody can see which of two patterns lets more through


def limits(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """How many grants and requests one person may have at a time."""
    for name, was, is_ in (
        ("activePerRequester", before.limits.active_per_requester, now.limits.active_per_requester),
        ("pendingPerRequester", before.limits.pending_per_requester, now.limits.pending_per_requester),
    ):
        if was != is_:
            yield Difference(f"limits.{name} is {is_}, was {was}", loosens=is_ > was)
    if before.limits.once_per_name is not now.limits.once_per_name:
        words = f"limits.oncePerName is {_yes(now.limits.once_per_name)}, was {_yes(before.limits.once_per_name)}"
        yield Difference(words, loosens=before.limits.once_per_name)


def description(before: AccessPolicySpec, now: AccessPolicySpec) -> Iterator[Difference]:
    """Words for people."""
    if before.description != now.description:
        yield Difference("the description was changed", loosens=False)


def _needed(approval: Approval) -> int:
    return sum(stage.count for stage in approval.stages) or approval.count


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "not set"


def _yes(value: bool) -> str:
    return "true" if value else "false"


COMPARISONS: tuple[Compare, ...] = (
    role,  # what is given
    permanence,
    role_changes,
    ends,
    longest,  # for how long
    time_to_decide,
    lead_time,
    mode,  # who has to agree
    unrecorded,
    people,
    groups,
    reason,  # what has to be said
    reason_of_approvers,
    ticket,
    limits,
    description,
)
"""All settings of a policy."""
