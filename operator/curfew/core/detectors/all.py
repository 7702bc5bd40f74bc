"""All detectors, by name, with their settings; a new one is added here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from curfew.core.detectors.alert import Alert
from curfew.core.detectors.audit_gap import AuditGap, AuditGapSettings
from curfew.core.detectors.break_glass_not_reviewed import BreakGlassNotReviewed, BreakGlassNotReviewedSettings
from curfew.core.detectors.break_glass_used import BreakGlassUsed, BreakGlassUsedSettings
from curfew.core.detectors.decision_bottleneck import DecisionBottleneck, DecisionBottleneckSettings
from curfew.core.detectors.denied_then_elsewhere import DeniedThenElsewhere, DeniedThenElsewhereSettings
from curfew.core.detectors.detector import Detector
from curfew.core.detectors.detector_switched_off import DetectorSwitchedOff, DetectorSwitchedOffSettings
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.first_privileged_role import FirstPrivilegedRole, FirstPrivilegedRoleSettings
from curfew.core.detectors.grant_changed import GrantChanged, GrantChangedSettings
from curfew.core.detectors.guards_out_of_force import GuardsOutOfForce, GuardsOutOfForceSettings
from curfew.core.detectors.late_removal import LateRemoval, LateRemovalSettings
from curfew.core.detectors.left_behind import LeftBehindSettings, ObjectsLeftBehind
from curfew.core.detectors.many_requests import ManyRequests, ManyRequestsSettings
from curfew.core.detectors.mass_deletion import MassDeletion, MassDeletionSettings
from curfew.core.detectors.mass_secret_reads import MassSecretReads, MassSecretReadsSettings
from curfew.core.detectors.off_hours import OffHours, OffHoursSettings
from curfew.core.detectors.policy_weakened import PolicyWeakened, PolicyWeakenedSettings
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.privileged_spike import PrivilegedSpike, PrivilegedSpikeSettings
from curfew.core.detectors.probing import Probing, ProbingSettings
from curfew.core.detectors.reciprocal_approval import ReciprocalApproval, ReciprocalApprovalSettings
from curfew.core.detectors.refused_decision import RefusedDecision, RefusedDecisionSettings
from curfew.core.detectors.requests_time_out import RequestsTimeOut, RequestsTimeOutSettings
from curfew.core.detectors.role_granted_outside import RoleGrantedOutside, RoleGrantedOutsideSettings
from curfew.core.detectors.rubber_stamping import RubberStamping, RubberStampingSettings
from curfew.core.detectors.same_role_again import SameRoleAgain, SameRoleAgainSettings
from curfew.core.detectors.service_account_token import ServiceAccountToken, ServiceAccountTokenSettings
from curfew.core.detectors.sink_changed import SinkChanged, SinkChangedSettings
from curfew.core.detectors.tuning import DetectorSettings, Tuned, TuningRefused, read
from curfew.core.detectors.two_credentials import TwoCredentials, TwoCredentialsSettings
from curfew.core.detectors.unfamiliar_place import UnfamiliarPlace, UnfamiliarPlaceSettings
from curfew.core.detectors.unused_eligibility import UnusedEligibility, UnusedEligibilitySettings
from curfew.core.detectors.unused_grant import UnusedGrant, UnusedGrantSettings
from curfew.core.detectors.used_without_grant import UsedWithoutGrant, UsedWithoutGrantSettings


class Making(Protocol):
    """How a detector is made: from its settings, and from what is known of roles."""

    def __call__(self, tuned: Tuned[Any], privilege: Privilege) -> Detector:
        """Return a detector that has learnt nothing."""
        ...


def alone(make: Callable[[Tuned[Any]], Detector]) -> Making:
    """Return how a detector is made that need not know which roles are privileged."""
    return lambda tuned, privilege: make(tuned)


DETECTORS: Final[Mapping[str, tuple[Making, type[DetectorSettings]]]] = {
    "ManyRequests": (ManyRequests, ManyRequestsSettings),
    "PrivilegedSpike": (PrivilegedSpike, PrivilegedSpikeSettings),
    "SameRoleAgain": (alone(SameRoleAgain), SameRoleAgainSettings),
    "DeniedThenElsewhere": (alone(DeniedThenElsewhere), DeniedThenElsewhereSettings),
    "OffHours": (OffHours, OffHoursSettings),
    "FirstPrivilegedRole": (FirstPrivilegedRole, FirstPrivilegedRoleSettings),
    "RubberStamping": (alone(RubberStamping), RubberStampingSettings),
    "ReciprocalApproval": (alone(ReciprocalApproval), ReciprocalApprovalSettings),
    "BreakGlassUsed": (alone(BreakGlassUsed), BreakGlassUsedSettings),
    "BreakGlassNotReviewed": (alone(BreakGlassNotReviewed), BreakGlassNotReviewedSettings),
    "LateRemoval": (LateRemoval, LateRemovalSettings),
    "GrantChanged": (alone(GrantChanged), GrantChangedSettings),
    "PolicyWeakened": (PolicyWeakened, PolicyWeakenedSettings),
    "GuardsOutOfForce": (alone(GuardsOutOfForce), GuardsOutOfForceSettings),
    "SinkChanged": (alone(SinkChanged), SinkChangedSettings),
    "DetectorSwitchedOff": (alone(DetectorSwitchedOff), DetectorSwitchedOffSettings),
    "DecisionBottleneck": (DecisionBottleneck, DecisionBottleneckSettings),
    "RequestsTimeOut": (alone(RequestsTimeOut), RequestsTimeOutSettings),
    "RefusedDecision": (alone(RefusedDecision), RefusedDecisionSettings),
    "RoleGrantedOutside": (alone(RoleGrantedOutside), RoleGrantedOutsideSettings),
    "UsedWithoutGrant": (alone(UsedWithoutGrant), UsedWithoutGrantSettings),
    "UnfamiliarPlace": (alone(UnfamiliarPlace), UnfamiliarPlaceSettings),
    "TwoCredentials": (alone(TwoCredentials), TwoCredentialsSettings),
    "ServiceAccountToken": (alone(ServiceAccountToken), ServiceAccountTokenSettings),
    "UnusedGrant": (alone(UnusedGrant), UnusedGrantSettings),
    "UnusedEligibility": (alone(UnusedEligibility), UnusedEligibilitySettings),
    "LeftBehind": (alone(ObjectsLeftBehind), LeftBehindSettings),
    "MassSecretReads": (alone(MassSecretReads), MassSecretReadsSettings),
    "MassDeletion": (alone(MassDeletion), MassDeletionSettings),
    "Probing": (alone(Probing), ProbingSettings),
    "AuditGap": (alone(AuditGap), AuditGapSettings),
}
"""By name: how it is made, and the settings that it has."""


def tunings(
    usual: Mapping[str, Mapping[str, Any]], by_policy: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]
) -> Mapping[str, Tuned[Any]]:
    """Read the settings of all detectors as they are written: by detector, and by namespace and policy, then by detector.

    Raise `TuningRefused` for a detector that does not exist, for an unknown setting, and for a value that cannot be.
    """
    for name in (*usual, *(name for written in by_policy.values() for name in written)):
        if name not in DETECTORS:
            raise TuningRefused(f"there is no detector {name}; there are {', '.join(DETECTORS)}")
    return {
        name: read(
            name,
            model,
            usual.get(name, {}),
            {policy: written[name] for policy, written in by_policy.items() if name in written},
        )
        for name, (_, model) in DETECTORS.items()
    }


def engine(tuned: Mapping[str, Tuned[Any]], *, log: str, now: datetime, privileged: Sequence[str] = ()) -> Engine:
    """Return an engine with all detectors that are switched on, for any policy at least.

    `tuned` is what `tunings` returns, `log` the id of the log of activity, and `privileged` the roles that count as
    privileged in any case, as KIND/NAME.
    """
    privilege = Privilege(privileged)

    def is_off(alert: Alert) -> bool:
        return not tuned[alert.detector].of(alert.namespace, alert.policy).enabled

    def on() -> Iterator[Detector]:
        for name, (make, _) in DETECTORS.items():
            settings = tuned[name]
            if settings.usual.enabled or any(one.enabled for one in settings.by_policy.values()):
                yield make(settings, privilege)

    return Engine(on(), log=log, now=now, common=(privilege,), is_off=is_off)
