"""What the log can show about a subject of controls: with numbers, and with its limits.

Controls of different frameworks ask the same question in other words. Each question is answered once, here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curfew.audit.wording import duration
from curfew.evidence.exception_kinds import ExceptionKind
from curfew.evidence.figures import Figures, Spread
from curfew.evidence.grants import GrantMode
from curfew.evidence.wording import count, instant, share


@dataclass(frozen=True, slots=True)
class Topic:
    """One subject: what the log shows about it, in which tables, which exceptions bear on it, and what the log cannot show."""

    shows: Callable[[Figures], Iterator[str]]
    tables: tuple[str, ...]
    kinds: tuple[ExceptionKind, ...] = ()
    cannot: tuple[str, ...] = ()


NOTHING_IN_FORCE = "No access was in force in the period."


def _asking(figures: Figures) -> Iterator[str]:
    stories = [grant.story for grant in figures.population]
    reasons, tickets = sum(bool(one.reason) for one in stories), sum(bool(one.ticket) for one in stories)
    asked, tests = count(figures.account.asked, "request"), figures.account.self_tests
    yield f"{asked} for access made in the period, each under the name that the Kubernetes API server authenticated."
    if figures.account.counted:
        least = "" if figures.account.is_count_exact else "at least "
        counted = count(sum(figures.account.counted.values()), "request")
        yield f"Of these, {least}{counted} were refused and are in the log only as a number, one for each person and hour."
    if tests:
        yield f"Not counted: {count(tests, 'request')} that Curfew made to test its own admission policies."
    if stories:
        yield f"{share(reasons, len(stories))} of the grants state a reason and {share(tickets, len(stories))} a ticket."


def _approval(figures: Figures) -> Iterator[str]:
    modes, decided = figures.modes, Spread.of(figures.decision_times)
    if not figures.population:
        yield NOTHING_IN_FORCE
        return
    unknown = f"; how {modes[GrantMode.UNKNOWN]:,} came about is not in the log" if modes[GrantMode.UNKNOWN] else ""
    yield (
        f"Of {count(len(figures.population), 'grant')} in force, {modes[GrantMode.REVIEW]:,} were approved by other people, "
        f"{modes[GrantMode.AUTOMATIC]:,} were granted by a policy that waives approval, and "
        f"{modes[GrantMode.BREAK_GLASS]:,} were taken as break glass{unknown}."
    )
    if decided.median is not None:
        people = count(figures.approvers, "person", "people")
        yield f"{people} approved; the median time to a decision is {duration(decided.median)}."


def _separation(figures: Figures) -> Iterator[str]:
    mutual = sum(1 for pair in figures.pairs if pair.returned and pair.approver < pair.requester)
    yield f"{count(figures.by_kind[ExceptionKind.SELF_APPROVAL], 'attempt')} to decide on one's own request; none counted."
    yield f"{count(mutual, 'pair')} of people approved for each other (section Approvals lists who did most)."


def _least(figures: Figures) -> Iterator[str]:
    spread = figures.durations
    if not figures.population:
        yield NOTHING_IN_FORCE
        return
    yield (
        f"Each of {count(len(figures.population), 'grant')} gives one person one role in one namespace, with an end: "
        f"{count(len(figures.by_role), 'role')}, {count(len(figures.by_namespace), 'namespace')}, "
        f"{count(figures.people, 'person', 'people')}."
    )
    if spread.median is not None and spread.most is not None:
        yield f"The median grant is for {duration(spread.median)}, the longest for {duration(spread.most)}."


def _ending(figures: Figures) -> Iterator[str]:
    tested, passed = figures.outcome(ExceptionKind.LATE_END)
    if not tested:
        yield "No access came to its end in the period."
        return
    yield (
        f"{passed:,} of {tested:,} ends of access ({share(passed, tested)}) came no later than 60 s after the promised end, "
        f"{figures.ended_early:,} of them before it."
    )
    yield "An end is recorded only after the binding was read back as gone."


def _emergency(figures: Figures) -> Iterator[str]:
    tested, passed = figures.outcome(ExceptionKind.NOT_REVIEWED)
    yield (
        f"{count(figures.modes[GrantMode.BREAK_GLASS], 'grant')} taken as break glass; of {count(tested, 'review')} due in the "
        f"period, {passed:,} were made by somebody else within 24 hours."
    )


def _change(figures: Figures) -> Iterator[str]:
    weakened, changed = figures.by_kind[ExceptionKind.POLICY_WEAKENED], figures.by_kind[ExceptionKind.ROLE_CHANGED]
    yield f"{count(figures.policy_changes, 'change')} of policies recorded, of which {weakened:,} weakened one."
    if figures.policy_tests:
        tests = count(figures.policy_tests, "record")
        yield f"Not counted: {tests} of the policy that Curfew made to test its own admission policies."
    yield (
        f"Each grant pins the policy's generation and a digest of the role's rules; {count(changed, 'change')} of a role "
        "while somebody held it."
    )


def _recording(figures: Figures) -> Iterator[str]:
    yield (
        f"{count(figures.account.records, 'record')} of {count(len(figures.account.events), 'kind')} of event in the "
        "period. Each shows who, what, when, where, why, who agreed and with what outcome, as an OCSF 1.8 event."
    )


def _integrity(figures: Figures) -> Iterator[str]:
    yield "The log was verified for this report: every byte, signature, hash and root (section Basis shows with what)."
    attestations, stretches = figures.account.attestations, figures.by_kind[ExceptionKind.NOT_WRITE_ONCE]
    if attestations:
        evidence = attestations[-1].detail.get("evidence", "not recorded")
        yield (
            f"The store was attested to be write-once, last with the evidence: {evidence}; "
            f"{count(stretches, 'stretch', 'stretches')} of the period have none."
        )
    else:
        yield "The log has no attestation that the store is write-once."


def _continuity(figures: Figures) -> Iterator[str]:
    account, silence = figures.account, figures.account.longest_silence
    yield (
        f"{count(account.heartbeats, 'sign')} of life among {count(account.segments, 'segment')} of the period; the longest "
        f"silence is {duration(silence) if silence is not None else 'not known'}."
    )
    yield f"{count(figures.event('audit.sink_failed'), 'outage')} of the store recorded."


def _watching(figures: Figures) -> Iterator[str]:
    tampered = figures.event("grant.drifted", "grant.binding_removed", "grant.orphan_removed")
    yield f"{count(tampered, 'binding')} altered, deleted or made by somebody else, each noticed and recorded."
    yield f"{count(len(figures.exceptions), 'exception')} found by the tests of this report over the whole period."


def _retention(figures: Figures) -> Iterator[str]:
    account = figures.account
    if account.first_at is None or account.last_at is None:
        yield "The log holds nothing."
        return
    days = count((account.last_at - account.first_at).days, "day")
    yield f"The log goes back to {instant(account.first_at)} UTC, {days}, with no link of its chain missing."


def _personal_data(figures: Figures) -> Iterator[str]:
    people = {grant.story.requester for grant in figures.population} | {one.by for one in figures.account.decisions}
    yield (
        f"The records of the period name {count(len(people), 'person', 'people')}, the reasons they wrote and the tickets "
        "they named; no contents of systems, no secrets."
    )


EFFECTIVE_USE = (
    "What was done with the access, if the report has no section Sessions: the trail records the grant, not the calls. "
    "See the API server's audit log."
)
STANDING = "Access that was given without Curfew: standing role bindings, cluster administrators, other systems."
TRUTH = "That what people wrote is true: reasons and tickets are kept as written and not compared with other systems."

ASKING = Topic(_asking, ("Population",), (ExceptionKind.REFUSALS_COUNTED,), (TRUTH,))
APPROVAL = Topic(
    _approval,
    ("Tests", "Approvals", "Samples"),
    (ExceptionKind.UNAPPROVED, ExceptionKind.UNANNOUNCED, ExceptionKind.DECISION_REFUSED),
    (
        "Whether an approver knew enough to agree, and was the right person in the organization: RBAC states who may, not why.",
    ),
)
SEPARATION = Topic(
    _separation,
    ("Approvals", "Exceptions"),
    (ExceptionKind.SELF_APPROVAL, ExceptionKind.UNAPPROVED),
    ("That two user names are two people.",),
)
LEAST = Topic(
    _least,
    ("Population", "Tests"),
    (ExceptionKind.LONGER_THAN_ASKED, ExceptionKind.UNPINNED, ExceptionKind.ROLE_CHANGED),
    (STANDING,),
)
ENDING = Topic(
    _ending,
    ("Tests", "Population"),
    (ExceptionKind.LATE_END, ExceptionKind.END_MISSING, ExceptionKind.REMOVAL_FAILED),
    ("Streams that were open at the end (exec, port-forward, watch): Kubernetes does not cut them.",),
)
EMERGENCY = Topic(_emergency, ("Tests", "Exceptions"), (ExceptionKind.NOT_REVIEWED,))
CHANGE = Topic(
    _change,
    ("Log", "Exceptions"),
    (ExceptionKind.POLICY_WEAKENED, ExceptionKind.ROLE_CHANGED),
    ("Changes of anything but access policies and the roles under them.",),
)
RECORDING = Topic(_recording, ("Log",), (ExceptionKind.UNREAD,), (EFFECTIVE_USE,))
INTEGRITY = Topic(
    _integrity,
    ("Basis", "Log", "Proofs"),
    (ExceptionKind.NOT_WRITE_ONCE, ExceptionKind.VERIFICATION_FAILED, ExceptionKind.WRITER_CHANGED),
    (
        "That the operator alone held the signing key: anybody who holds it can write another history. Anchors show that.",
    ),
)
CONTINUITY = Topic(
    _continuity,
    ("Log", "Exceptions"),
    (ExceptionKind.SILENCE, ExceptionKind.OUTAGE, ExceptionKind.NOT_COVERED),
    ("What happened outside Curfew while it was not running.",),
)
WATCHING = Topic(
    _watching,
    ("Exceptions", "Log"),
    (ExceptionKind.DRIFTED, ExceptionKind.ORPHAN, ExceptionKind.BINDING_REMOVED),
    ("Who was alerted, and what they did: alerts are delivered and handled outside the log.",),
)
RETENTION = Topic(
    _retention,
    ("Basis", "Log"),
    (ExceptionKind.NOT_COVERED, ExceptionKind.NOT_WRITE_ONCE),
    ("How long the store will keep the log: compare the retention of the bucket with what is required.",),
)
PERSONAL_DATA = Topic(
    _personal_data,
    ("Population",),
    (),
    ("The legal basis, the notices to the people concerned, and the retention that was decided for their names.",),
)
