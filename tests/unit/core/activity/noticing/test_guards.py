"""Which calls change what guards Curfew, by whomever; each is in the log once a minute."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.api.names import binding_name
from curfew.core.activity.call import Call, Caller, CallStage
from tests.support.activity import UID, a_call
from tests.support.builders import ALICE, BOB, NOON
from tests.support.noticing import SYSTEM, ANoticing, detail

ADMISSION = "admissionregistration.k8s.io"
RBAC = "rbac.authorization.k8s.io"
OURS = f"validatingadmissionpolicybindings.{ADMISSION}/curfew-request-decision"


def changed(what: str, verb: str = "patch", namespace: str = "", **changes: object) -> Call:
    """Return a change by somebody."""
    return a_call(verb, what, namespace=namespace, reason="", user="carol", **changes)


def guards(*calls: Call) -> list[tuple[str, bool]]:
    """Return part and ownership of each change that is recorded."""
    records = ANoticing().arrives(*calls)
    assert {record.event for record in records} <= {"guard.changed"}
    return [(detail(record)["part"], detail(record).get("ours", False)) for record in records]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (changed(OURS, "delete"), "Admission"),
        (changed(f"validatingadmissionpolicies.{ADMISSION}/curfew-request-decision"), "Admission"),
        (changed(f"validatingadmissionpolicies.{ADMISSION}/", "deletecollection"), "Admission"),
        (changed(f"mutatingadmissionpolicies.{ADMISSION}/curfew-stamp-identity", "update"), "Admission"),
        (changed("customresourcedefinitions.apiextensions.k8s.io/accessrequests.curfew.dev"), "Kinds"),
        (changed("accesslocks.curfew.dev/lock-x7k2p", "create"), "Locks"),
        (changed("accesslocks.curfew.dev/lock-x7k2p", "patch"), "Locks"),
        (changed("accesslocks.curfew.dev/lock-x7k2p", "update"), "Locks"),
        (changed("accesslocks.curfew.dev/lock-x7k2p", "delete"), "Locks"),
        (changed("accesslocks.curfew.dev/", "deletecollection"), "Locks"),
        (changed(f"clusterroles.{RBAC}/curfew-granter"), "Installation"),
        (changed(f"clusterrolebindings.{RBAC}/curfew", "create"), "Installation"),
        (changed(f"rolebindings.{RBAC}/curfew-granter", "delete", "payments"), "Installation"),
        (changed("deployments.apps/curfew", "patch", SYSTEM), "Installation"),
        (changed("deployments.apps/curfew-monitor (scale)", "update", SYSTEM), "Installation"),
        (changed("cronjobs.batch/curfew-sweeper", "delete", SYSTEM), "Installation"),
        (changed("secrets/curfew-signing-key", "delete", SYSTEM), "Installation"),
        (changed("secrets/", "deletecollection", SYSTEM), "Installation"),
        (changed("configmaps/curfew-checkpoint", "patch", SYSTEM), "Installation"),
        (changed(f"namespaces/{SYSTEM}", "delete"), "Installation"),
    ],
    ids=lambda value: f"{value.verb} {value.resource} {value.name}" if isinstance(value, Call) else value,
)
def test_what_guards_curfew(call: Call, part: str) -> None:
    is_own_policy = call.name.startswith("curfew") or not call.resource.startswith("mutating")
    assert guards(call) == [(part, is_own_policy)]


@pytest.mark.parametrize("how", [{"code": 504}, {"stage": CallStage.PANIC}, {"dry_run": None}])
def test_a_call_that_its_caller_did_not_wait_for_counts_too(how: dict[str, Any]) -> None:
    (record,) = ANoticing().arrives(changed(f"mutatingadmissionpolicies.{ADMISSION}/rewrite", "create", **how))
    assert record.message.startswith("carol may have changed what guards Curfew: create mutatingadmissionpolicies")


def test_a_mutating_policy_of_somebody_else_counts_too() -> None:
    assert guards(changed(f"mutatingadmissionpolicies.{ADMISSION}/rewrite", "create")) == [("Admission", False)]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(
            changed(f"validatingadmissionpolicies.{ADMISSION}/other"), id="a policy that can only refuse more"
        ),
        pytest.param(changed(f"validatingadmissionpolicies.{ADMISSION}/curfew-x (status)"), id="a status"),
        pytest.param(changed("accesslocks.curfew.dev/lock-x7k2p (status)"), id="the status of a lock"),
        pytest.param(changed("accesslocks.curfew.dev/lock-x7k2p", "delete", code=403), id="a lock on oneself"),
        pytest.param(changed("accesslocks.curfew.dev/lock-x7k2p", "create", dry_run=True), id="a lock as a test"),
        pytest.param(changed("accesslocks.example.com/lock-x7k2p", "delete"), id="a lock of another group"),
        pytest.param(changed("customresourcedefinitions.apiextensions.k8s.io/widgets.example.com"), id="another kind"),
        pytest.param(changed(f"rolebindings.{RBAC}/{binding_name(UID)}", "create", "payments"), id="a grant"),
        pytest.param(changed(f"rolebindings.{RBAC}/", "deletecollection", "payments"), id="a namespace that goes"),
        pytest.param(changed("deployments.apps/curfew", "patch", "payments"), id="a deployment of elsewhere"),
        pytest.param(changed("deployments.apps/web", "patch", SYSTEM), id="another deployment"),
        pytest.param(changed("deployments.apps/curfew (status)", "update", SYSTEM), id="the state of a roll-out"),
        pytest.param(changed("serviceaccounts/curfew (token)", "create", SYSTEM), id="a token"),
        pytest.param(changed(OURS, "get"), id="read"),
        pytest.param(changed(OURS, "delete", code=403), id="refused"),
        pytest.param(changed(OURS, "delete", code=404), id="not there"),
        pytest.param(changed(OURS, "delete", dry_run=True), id="dry run"),
        pytest.param(changed(OURS, "delete", code=401), id="by nobody"),
        pytest.param(
            a_call(
                "patch",
                "configmaps/curfew-checkpoint",
                namespace=SYSTEM,
                caller=Caller(f"system:serviceaccount:{SYSTEM}:curfew"),
                reason="",
            ),
            id="the operator's checkpoint",
        ),
        pytest.param(
            a_call(
                "update",
                "deployments.apps/curfew",
                namespace=SYSTEM,
                caller=Caller("system:serviceaccount:kube-system:deployment-controller"),
                reason="",
            ),
            id="the number of a roll-out",
        ),
    ],
)
def test_what_does_not(call: Call) -> None:
    assert guards(call) == []


def test_who_did_it_is_shown_once_a_minute() -> None:
    noticing = ANoticing()
    at = NOON + timedelta(minutes=10)

    (record,) = noticing.arrives(changed(OURS), changed(OURS, at=at + timedelta(seconds=59)))

    assert record.block["actor"] == "carol"
    assert record.message == (
        "carol changed what guards Curfew: patch validatingadmissionpolicybindings.admissionregistration.k8s.io/"
        "curfew-request-decision"
    )
    assert len(noticing.arrives(changed(OURS, at=at + timedelta(minutes=1)))) == 1
    assert len(noticing.arrives(changed(OURS, "delete"))) == 1
    assert len(noticing.arrives(a_call("patch", OURS, namespace="", user=BOB, reason="", impersonated=ALICE))) == 1
