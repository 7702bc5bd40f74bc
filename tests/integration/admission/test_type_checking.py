"""The API server finds nothing to complain of in the admission policies themselves."""

import json
from typing import Any

import pytest

from tests.integration.installed import SYSTEM, Installed
from tests.support.api import succeed, until

POLICIES = (
    "curfew-alert-response",
    "curfew-decision-reason",
    "curfew-locks",
    "curfew-managed-bindings",
    "curfew-monitor-containment",
    "curfew-operator-containment",
    "curfew-operator-decides-nothing",
    "curfew-operator-labels-only",
    "curfew-policy-no-escalation",
    "curfew-policy-status",
    "curfew-request-decision",
    "curfew-request-deletion",
    "curfew-request-identity",
    "curfew-request-immutable",
    "curfew-request-no-orphan",
    "curfew-request-terms",
)

BRING_FORWARD = ("curfew-decision-reason", "curfew-request-terms")
"""They only refuse earlier what Curfew refuses anyway, so they fail open."""


def found(cluster: Installed, kind: str, name: str = "") -> Any:
    """Return an object of this kind, or their list."""
    root = "/apis/admissionregistration.k8s.io/v1"
    return json.loads(succeed(cluster.api.ask("GET", f"{root}/{kind}/{name}".rstrip("/"))))


def test_these_are_all_policies(cluster: Installed) -> None:
    """None is forgotten below."""
    listed = [each["metadata"] for each in found(cluster, "validatingadmissionpolicies")["items"]]

    ours = [each["name"] for each in listed if each.get("labels", {}).get("app.kubernetes.io/name") == "curfew"]
    assert sorted(ours) == sorted(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_no_expression_is_doubtful(cluster: Installed, name: str) -> None:
    """Type checking, once it has looked at what is there now, has no warning."""
    policy: Any = None

    def is_checked() -> bool:
        nonlocal policy
        policy = found(cluster, "validatingadmissionpolicies", name)
        return bool(policy.get("status", {}).get("observedGeneration") == policy["metadata"]["generation"])

    until(is_checked, "the types of its policies")

    assert policy["status"]["typeChecking"].get("expressionWarnings", []) == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_is_enforced_everywhere(cluster: Installed, name: str) -> None:
    """It denies and leaves a trace in the API server's audit log, in every namespace, and fails closed."""
    binding = found(cluster, "validatingadmissionpolicybindings", name)
    policy = found(cluster, "validatingadmissionpolicies", name)

    assert binding["spec"]["policyName"] == name
    assert sorted(binding["spec"]["validationActions"]) == ["Audit", "Deny"]
    assert "namespaceSelector" not in binding["spec"].get("matchResources", {})
    assert policy["spec"]["failurePolicy"] == ("Ignore" if name in BRING_FORWARD else "Fail")
    assert SYSTEM in json.dumps(policy) or "is-" not in json.dumps(policy["spec"].get("matchConditions", []))
