"""The API server finds nothing to complain of in the admission policies themselves."""

import json

import pytest

from tests.integration.installed import SYSTEM, Installed

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


def test_these_are_all_policies(cluster: Installed) -> None:
    """None is forgotten below."""
    listed = cluster.kubectl(
        "get", "validatingadmissionpolicies", "--selector=app.kubernetes.io/name=curfew", "--output=name"
    )

    assert sorted(line.rpartition("/")[2] for line in listed.stdout.split()) == sorted(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_no_expression_is_doubtful(cluster: Installed, name: str) -> None:
    """Type checking, once it has looked at what is there now, has no warning."""
    found = json.loads(cluster.kubectl("get", "validatingadmissionpolicy", name, "--output=json").stdout)
    generation = found["metadata"]["generation"]
    cluster.kubectl(
        "wait", f"--for=jsonpath={{.status.observedGeneration}}={generation}", f"validatingadmissionpolicy/{name}"
    )

    checked = json.loads(cluster.kubectl("get", "validatingadmissionpolicy", name, "--output=json").stdout)

    assert checked["status"]["typeChecking"].get("expressionWarnings", []) == []


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_is_enforced_everywhere(cluster: Installed, name: str) -> None:
    """It denies and leaves a trace in the API server's audit log, in every namespace, and fails closed."""
    binding = json.loads(cluster.kubectl("get", "validatingadmissionpolicybinding", name, "--output=json").stdout)
    policy = json.loads(cluster.kubectl("get", "validatingadmissionpolicy", name, "--output=json").stdout)

    assert binding["spec"]["policyName"] == name
    assert sorted(binding["spec"]["validationActions"]) == ["Audit", "Deny"]
    assert "namespaceSelector" not in binding["spec"].get("matchResources", {})
    assert policy["spec"]["failurePolicy"] == ("Ignore" if name in BRING_FORWARD else "Fail")
    assert SYSTEM in json.dumps(policy) or "is-" not in json.dumps(policy["spec"].get("matchConditions", []))
