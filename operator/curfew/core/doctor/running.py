"""Whether Curfew runs: its pods, its leader, its clock, its sweeper; and whether access has ended."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from curfew.api.names import ANNOTATION_EXPIRES_AT, LABEL_REQUEST_UID, SELF_TEST_POLICY
from curfew.api.time_text import format_time, parse_time
from curfew.audit.wording import count, duration
from curfew.core.doctor.diagnosis import Diagnosis, Gravity
from curfew.core.doctor.facts import COMPONENT, ClusterFacts, at, items, number, text, title
from curfew.core.doctor.series import points, value
from curfew.core.skew import NOTICED, RESOLUTION, TOO_FAR, Bounds
from curfew.core.sweeping import Sweeps
from curfew.core.sweeping import judge as judge_sweeper

UNRENEWED: Final = timedelta(seconds=20)
"""For how long the Lease may be as it is while an operator leads: a leader renews it each second."""

LATE: Final = timedelta(minutes=1)
"""How long after its end a grant may still be there: a sweep, and the time between two looks."""

_OWN_CLOCK: Final = timedelta(seconds=5)


def judge_installation(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether Curfew is installed once, and whether its operators are ready."""
    if facts.deployments is None:
        return
    everywhere = sorted(
        {
            text(one, "metadata", "namespace")
            for one in facts.deployments
            if text(one, "metadata", "labels", COMPONENT) == "operator"
        }
    )
    if len(everywhere) > 1:
        yield Diagnosis(
            "D003",
            ", ".join(everywhere),
            f"There are operators in {' and '.join(everywhere)}. Both would end and grant the same access.",
            "helm list -A shows the releases. Uninstall all but one.",
        )
    operators = facts.components("operator")
    if not operators:
        yield Diagnosis(
            "D001",
            facts.namespace,
            f"There is no operator in namespace {facts.namespace}.",
            "Install Curfew's chart, or name its namespace with -n.",
        )
    for one in operators:
        wanted, ready = number(one, "spec", "replicas"), number(one, "status", "readyReplicas")
        if ready < max(1, wanted):
            yield Diagnosis(
                "D401",
                title(one),
                f"{ready} of {count(wanted, 'operator')} ready.",
                f"kubectl logs deployment/{text(one, 'metadata', 'name')} -n {facts.namespace} shows what is missing.",
                grave=None if not ready else Gravity.WARNING,
            )


def judge_clocks(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether Curfew's clock, or the one here, differs from the API server's."""
    ahead = _operators_clock(facts)
    if abs(ahead) > NOTICED:
        which = "ahead of" if ahead > timedelta() else "behind"
        yield Diagnosis(
            "D403",
            "operator",
            f"The leader's clock is {abs(ahead).total_seconds():.1f} s {which} the API server's.",
            "Synchronise the clocks of both machines (timedatectl, chronyc tracking). Above 5 s, nothing is granted.",
            grave=Gravity.CRITICAL if abs(ahead) > TOO_FAR else None,
        )
    if abs(facts.own_clock_ahead) > _OWN_CLOCK:
        which = "ahead of" if facts.own_clock_ahead > timedelta() else "behind"
        yield Diagnosis(
            "D004",
            "here",
            f"The clock here is {duration(abs(facts.own_clock_ahead))} {which} the API server's. Ages below are by the latter.",
            "Synchronise the clock of this machine.",
        )


def _operators_clock(facts: ClusterFacts) -> timedelta:
    """Return how far the leader's clock is certainly ahead: as it says itself, or else as its Lease shows."""
    told = [
        found for text_ in facts.metrics.values() if (found := value(text_, "curfew_clock_ahead_seconds")) is not None
    ]
    if told:
        return timedelta(seconds=max(told, key=abs))
    for lease in facts.lease or ():
        # The operator writes renewTime by its clock; the API server notes by its own, to the second, when that was written.
        renewed = _time(text(lease, "spec", "renewTime"))
        written = [
            _time(text(one, "time"))
            for one in items(lease, "metadata", "managedFields")
            if at(one, "fieldsV1", "f:spec", "f:renewTime") is not None
        ]
        if renewed is not None and len(written) == 1 and written[0] is not None:
            return Bounds(renewed - written[0] - RESOLUTION, renewed - written[0]).certain
    return timedelta()


def judge_leader(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether exactly one operator leads."""
    leaders = [pod for pod, text_ in facts.metrics.items() if value(text_, "curfew_leader") == 1]
    if len(leaders) > 1:
        yield Diagnosis(
            "D409",
            ", ".join(sorted(leaders)),
            f"{' and '.join(sorted(leaders))} each say that they lead.",
            "Look again: the leader may just have changed. If it stays so, compare their clocks and their Lease.",
        )
    if facts.lease is None:
        return
    renewed = [_time(text(one, "spec", "renewTime")) for one in facts.lease if text(one, "spec", "holderIdentity")]
    if not any(at is not None and facts.now - at < UNRENEWED for at in renewed):
        since = f" since {format_time(renewed[0])}" if renewed and renewed[0] is not None else ""
        yield Diagnosis(
            "D402",
            f"Lease {facts.namespace}/curfew",
            f"No operator has renewed the Lease curfew{since}: nothing is granted or recorded.",
            "Look at the operator's pods and logs; kubectl get lease curfew shows who led last.",
        )


def judge_sweeping(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether the sweeper runs: it ends access while no operator does."""
    if facts.cron_job is None:
        return
    if not facts.cron_job:
        yield Diagnosis(
            "D404",
            "CronJob curfew-sweeper",
            "There is no CronJob curfew-sweeper: while the operator is down, no access ends.",
            "Run helm upgrade, which puts it back.",
        )
    for one in facts.cron_job:
        made = _time(text(one, "metadata", "creationTimestamp")) or facts.now
        state = judge_sweeper(one, since=made, now=facts.now)
        if at(one, "spec", "suspend") is True:
            what, advice = (
                "The sweeper is suspended.",
                'kubectl patch cronjob curfew-sweeper --type=merge -p \'{"spec": {"suspend": false}}\'',
            )
        elif state.reason is Sweeps.OVERDUE:
            since = f"since {format_time(state.last)}" if state.last else "yet"
            what, advice = f"The sweeper has not succeeded {since}.", "Look at its Jobs: kubectl get jobs"
        else:
            continue
        yield Diagnosis("D405", "CronJob curfew-sweeper", what, f"{advice} -n {facts.namespace}.")


def judge_grants(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield the grants that are there although they are over, and the policies that cannot be used."""
    for one in facts.namespace_rbac or ():
        labels, notes = at(one, "metadata", "labels") or {}, at(one, "metadata", "annotations") or {}
        if text(one, "kind") != "RoleBinding" or LABEL_REQUEST_UID not in labels:
            continue
        ends = _time(str(notes.get(ANNOTATION_EXPIRES_AT, "")))
        if ends is None or facts.now - ends > LATE:
            when = f"should have ended at {format_time(ends)}" if ends is not None else "has no end that can be read"
            where, name = text(one, "metadata", "namespace"), text(one, "metadata", "name")
            yield Diagnosis(
                "D406",
                title(one),
                f"{title(one)} {when}.",
                f"kubectl delete rolebinding {name} -n {where} ends it now. Then find out why Curfew did not.",
            )
    for one in facts.policies or ():
        ready = [two for two in items(one, "status", "conditions") if text(two, "type") == "Ready"]
        if text(one, "metadata", "name") == SELF_TEST_POLICY:
            continue
        if any(text(two, "status") == "False" for two in ready):
            yield Diagnosis(
                "D407",
                title(one),
                f"{title(one)} is not ready: {text(ready[0], 'message')}",
                "Nobody can use it until its owner corrects it: kubectl describe shows the whole status.",
            )


def judge_operators_words(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield what the operators themselves measured: admission policies and locks."""
    for pod, text_ in sorted(facts.metrics.items()):
        for policy in sorted(
            one.labels.get("policy", "") for one in points(text_, "curfew_enforced") if one.value == 0
        ):
            yield Diagnosis(
                "D105",
                f"ValidatingAdmissionPolicy {policy}",
                f"{pod} tried what {policy} must refuse, and it was not refused in its name: nothing is granted.",
                "Run helm upgrade; the log of the operator has what it was answered.",
            )
        if value(text_, "curfew_locks_known") == 0:
            yield Diagnosis(
                "D408",
                pod,
                f"{pod} does not know which AccessLocks there are: nothing is granted.",
                "kubectl get accesslocks shows whether they can be read; the log of the operator has the reason.",
            )


def _time(text_: str) -> datetime | None:
    try:
        return parse_time(text_)
    except ValueError:
        return None
