"""A binding to a governed role that is no grant is told until it is gone; its use without a grant is told as well."""

from dataclasses import replace
from datetime import timedelta

from curfew.audit.record import Record
from curfew.core.activity.call import Caller
from curfew.core.activity.noticing.binding import OutsideBinding
from curfew.core.activity.noticing.records import FoundBy, GoneBecause, found_outside, gone_outside, used_outside
from curfew.core.activity.reason import RbacReason
from curfew.core.detectors.alert import Severity
from curfew.core.detectors.records import raised, told
from tests.support.activity import a_call
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold


def a_binding(name: str = "quick-fix", uid: str = "u1", *, more: int = 0) -> OutsideBinding:
    subjects = (f"User {ALICE}", "Group oncall")
    return OutsideBinding("RoleBinding", "payments", name, uid, "ClusterRole/payments-debug", subjects, more, NOON)


def found(binding: OutsideBinding, *, by: str = "", at: int = 0) -> Record:
    call = a_call("create", "rolebindings.rbac.authorization.k8s.io/quick-fix", caller=Caller(by)) if by else None
    return found_outside(binding, call, FoundBy.FEED, at=NOON + timedelta(seconds=at))


def used(who: str, binding: str = "quick-fix", *, impersonated: str | None = None) -> Record:
    named = RbacReason("RoleBinding", binding, "payments", "ClusterRole", "payments-debug", "User", impersonated or who)
    return used_outside(a_call("get", "secrets/db", caller=Caller(who), impersonated=impersonated), named)


def test_a_binding_that_was_made_outside_is_told() -> None:
    fold = Fold("RoleGrantedOutside")
    fold.learn(found(a_binding(), by=BOB))

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == (
        f"RoleBinding quick-fix in payments gives ClusterRole/payments-debug to User {ALICE}, Group oncall, without an end; "
        f"{BOB} made it"
    )
    assert alert.people == (ALICE, BOB)
    assert alert.namespace == "payments"
    assert alert.quiet is None


def test_who_made_it_is_left_out_if_it_is_not_known_and_so_are_subjects_that_are_too_many() -> None:
    fold = Fold("RoleGrantedOutside")
    fold.learn(found(a_binding(more=7)))
    assert fold.alerts[0].message.endswith(f"to User {ALICE}, Group oncall and others, without an end")
    assert fold.alerts[0].values["subjects"] == 9


def test_whoever_made_it_is_named_however_many_got_it() -> None:
    fold = Fold("RoleGrantedOutside")
    many = replace(a_binding(), subjects=tuple(f"User u{number}" for number in range(20)))
    fold.learn(found(many, by=BOB))

    alert = told(raised(fold.alerts[0], "main-activity"))
    assert alert is not None
    assert BOB in alert.people


def test_it_ends_when_the_binding_is_gone_and_only_then() -> None:
    fold = Fold("RoleGrantedOutside")
    fold.learn(found(a_binding()), found(a_binding("other", "u2")))
    fold.learn(gone_outside(a_binding(), None, GoneBecause.DELETED, at=NOON + timedelta(minutes=5)))

    (end,) = fold.ends
    assert end.key == fold.alerts[0].key != fold.alerts[1].key
    assert end.why == "RoleBinding quick-fix in payments no longer gives a role outside Curfew"


def test_a_binding_of_the_same_name_that_is_made_again_is_another_one() -> None:
    fold = Fold("RoleGrantedOutside")
    fold.learn(found(a_binding(uid="u1")), found(a_binding(uid="u2"), at=9))
    assert fold.alerts[0].key != fold.alerts[1].key


def test_its_use_is_told_for_each_person_and_binding() -> None:
    fold = Fold("UsedWithoutGrant")
    fold.learn(used(ALICE), used(BOB), used(ALICE, "other"))

    assert [alert.key for alert in fold.alerts] == [
        f"{ALICE}/RoleBinding/payments/quick-fix",
        f"{BOB}/RoleBinding/payments/quick-fix",
        f"{ALICE}/RoleBinding/payments/other",
    ]
    assert fold.alerts[0].message == (
        f"{ALICE} used ClusterRole/payments-debug through RoleBinding/payments/quick-fix, which Curfew did not make: "
        "get secrets"
    )
    assert fold.alerts[0].quiet == timedelta(days=7)


def test_a_person_who_acts_as_another_is_named_with_the_other() -> None:
    fold = Fold("UsedWithoutGrant")
    fold.learn(used(BOB, impersonated=ALICE))
    assert fold.alerts[0].message.startswith(f"{BOB} as {ALICE} used ")
    assert fold.alerts[0].people == (BOB, ALICE)
