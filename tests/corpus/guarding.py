"""Incidents around the access itself: its rules, what enforces them, and what is recorded."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from curfew.core import enforcement_records
from curfew.core.activity.noticing.binding import OutsideBinding
from curfew.core.activity.noticing.records import (
    FoundBy,
    RefusedBecause,
    decision_refused,
    found_outside,
    used_outside,
)
from curfew.core.activity.reason import RbacReason
from curfew.core.detectors.records import configured
from curfew.core.facts import EnforcementState
from curfew.core.trail_state import Outage, TrailReason, TrailTrouble
from curfew.ports import Attestation, LockEvidence
from curfew.trail.records import attested, outage
from tests.corpus.life import about_requests
from tests.corpus.roles import role
from tests.corpus.staging import Stage
from tests.support.watching import ACTIVITY

MINUTE: Final = timedelta(minutes=1)
WRITER: Final = "curfew-6d5f-x7k2p"


def own_request(stage: Stage) -> None:
    """Somebody tries to approve what they asked for."""
    told = stage.asks("admin", stage.at(10))
    at = stage.at(10.05)
    place = stage.life.place(stage.person, at)
    call = replace(about_requests(stage.person.name, at, place, "patch"), namespace=stage.team.name, code=403)
    call = replace(call, name=told.story.request, subresource="status")
    stage.life.activity.append(
        decision_refused(
            call, told.story, decision="Approve", policy="curfew-request-decision", why=RefusedBecause.OWN_REQUEST
        )
    )
    stage.denied(told, stage.at(10.2))
    stage.label("RefusedDecision", "a person approves their own request", stage.person)


def bound_outside(stage: Stage) -> None:
    """An administrator gives somebody a governed role by hand."""
    binding = OutsideBinding(
        kind="RoleBinding",
        namespace=stage.team.name,
        name="temporary",
        uid=stage.life.uid(),
        role=f"ClusterRole/{role('admin').name}",
        subjects=(f"User {stage.person.name}",),
        more_subjects=0,
        made_at=stage.at(10),
    )
    record = found_outside(binding, None, FoundBy.LIST, at=stage.at(10.01))
    stage.life.activity.append(record)
    stage.label("RoleGrantedOutside", "a governed role is given by hand", stage.person)


def used_by_hand(stage: Stage) -> None:
    """Somebody uses a governed role that they have by a binding of the platform team's."""
    at = stage.at(11)
    call = about_requests(stage.person.name, at, stage.life.place(stage.person, at), "list")
    call = replace(call, group="", version="v1", resource="secrets", namespace=stage.team.name, code=200)
    named = RbacReason(
        "RoleBinding", "temporary", stage.team.name, "ClusterRole", role("admin").name, "User", stage.person.name
    )
    stage.life.activity.append(used_outside(call, named))
    stage.label("UsedWithoutGrant", "governed access is used without a grant", stage.person)


def weakened(stage: Stage) -> None:
    """A policy grants without review from now on."""
    offer = stage.team.offers["secrets"]
    created = next(one for one in stage.life.trail if one.subject == offer.uid)
    loose = replace(offer, generation=2)
    stage.life.offer(loose, stage.at(10), created, approval={"mode": "Automatic"}, maxDuration="24h")
    stage.label("PolicyWeakened", "a policy requires no review any more", offer=offer)


def guards_off(stage: Stage) -> None:
    """An admission policy is not in force for twenty minutes."""
    name = "curfew-request-decision"
    lost = EnforcementState(False, "NotInForce", f"{name} is not in force.", stage.at(10), policies=(name,))
    found = EnforcementState(True, "InForce", "All policies are in force.", stage.at(10) + 20 * MINUTE)
    told = enforcement_records.lost("main", lost, at=lost.since)
    stage.life.trail.append(told)
    stage.life.trail.append(enforcement_records.restored("main", found, told, at=found.since))
    stage.label("GuardsOutOfForce", "an admission policy is not in force")


def sink_changed(stage: Stage) -> None:
    """The log goes on in a store that keeps nothing."""
    attestation = Attestation(stage.at(10), LockEvidence.NONE, sufficient=False, findings=("object lock is off",))
    stage.life.trail.append(attested("main", attestation, url="s3://elsewhere", writer=WRITER))
    stage.label("SinkChanged", "the store is not write-once any more")


def switched_off(stage: Stage) -> None:
    """A detector is switched off."""
    record = configured(
        ACTIVITY,
        detectors={"Probing": {"enabled": False}},
        policies={},
        off=["Probing"],
        changed=["Probing"],
        at=stage.at(10),
    )
    stage.life.activity.append(record)
    stage.label("DetectorSwitchedOff", "a detector is switched off")


def bucket_away(stage: Stage) -> None:
    """The bucket of the trail is away for forty minutes at night."""
    trouble = TrailTrouble(TrailReason.STORE_UNAVAILABLE, "the bucket does not answer")
    away = Outage(stage.at(3.2), stage.at(3.2) + 40 * MINUTE, trouble)
    stage.life.trail += outage("main", away, writer=WRITER)
    stage.label("AuditGap", "the trail cannot be written for 40 min", since=stage.at(3), until=stage.at(12))


def feed_cut(stage: Stage) -> None:
    """The feed of audit events is cut for five hours; `plan_gaps` has planned it."""
    begin, end = stage.life.holes[0]
    stage.label("AuditGap", "the feed is cut for 5 h", since=begin, until=end + timedelta(hours=4))
