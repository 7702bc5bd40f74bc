"""The Sigma rules can be read, and find what they describe in the events that a real API server wrote, and nothing else.

What was not recorded is made of recorded events: another object, another body.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from tests.recorded import audit_events
from tests.support import sigma
from tests.support.sigma import SigmaRule

LOG: Final = Path(audit_events.__file__).parent / "log.jsonl"
EVENTS: Final[list[dict[str, Any]]] = [json.loads(line) for line in LOG.read_text().splitlines()]
TOP: Final = Path(__file__).parents[2]
RULES: Final = SigmaRule.all()
SINGLE: Final = {name: rule for name, rule in RULES.items() if "detection" in rule.body}

RECORDED: Final[Mapping[str, set[str]]] = {
    "exec_into_pod": {"exec", "exec-websocket", "attach", "port-forward"},
    "exec_refused": {"exec-refused"},
    "escalation_refused": {"refused-as-escalation"},
    "impersonation": {"as-bob", "as-bob-constrained", "as-group", "as-nobody"},
    "node_proxy": {"node-proxy"},
    "token_requested": {"token", "token-of-pod", "dry-token"},
    "call_refused": {
        *(
            "anonymous",
            "as-account-refused",
            "as-bob-extra-refused",
            "as-bob-refused",
            "as-nobody",
            "create-in-no-namespace",
        ),
        *(
            "delete-all-but-one",
            "exec-refused",
            "get-odd-name",
            "list-all-namespaces-refused",
            "no-such-path",
            "pod-proxy",
        ),
        *(
            "quoted-user-refused",
            "refused-as-escalation",
            "refused-by-pod-security",
            "refused-by-policy",
            "refused-by-rbac",
        ),
        *("token-refused", "with-token-refused"),
    },
}
"""The steps of the recording that each rule finds; the others find none."""

RBAC, ADMISSION, WORKLOAD = (
    {"objectRef.apiGroup": "rbac.authorization.k8s.io"},
    {"objectRef.apiGroup": "admissionregistration.k8s.io"},
    {"objectRef.resource": "pods"},
)
MADE: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("secrets_listed", "list", {"objectRef.resource": "secrets"}),
    ("secrets_listed", "watch", {"objectRef.resource": "secrets"}),
    ("secret_read", "get", {"objectRef.resource": "secrets"}),
    ("anonymous_access", "get", {"user.username": "system:anonymous"}),
    ("cluster_role_binding_written", "create", {**RBAC, "objectRef.resource": "clusterrolebindings"}),
    (
        "cluster_admin_bound",
        "create",
        {**RBAC, "objectRef.resource": "rolebindings", "requestObject": {"roleRef": {"name": "cluster-admin"}}},
    ),
    (
        "bound_to_everybody",
        "create",
        {
            "objectRef.resource": "rolebindings",
            "requestObject": {"subjects": [{"name": "a"}, {"name": "system:authenticated"}]},
        },
    ),
    ("wildcard_role", "create", {"objectRef.resource": "roles", "requestObject": {"rules": [{"verbs": ["get", "*"]}]}}),
    (
        "wildcard_role",
        "patch",
        {"objectRef.resource": "clusterroles", "requestObject": {"rules": [{"resources": ["*"]}]}},
    ),
    (
        "curfew_guards_changed",
        "delete",
        {**ADMISSION, "objectRef.resource": "validatingadmissionpolicies", "objectRef.name": "curfew-managed-bindings"},
    ),
    (
        "curfew_guards_changed",
        "patch",
        {"objectRef.resource": "customresourcedefinitions", "objectRef.name": "accessrequests.curfew.dev"},
    ),
    ("curfew_guards_changed", "patch", {"objectRef.resource": "deployments", "objectRef.namespace": "curfew-system"}),
    (
        "long_lived_token",
        "create",
        {"objectRef.resource": "secrets", "requestObject.type": "kubernetes.io/service-account-token"},
    ),
    (
        "csr_approved",
        "update",
        {"objectRef.resource": "certificatesigningrequests", "objectRef.subresource": "approval"},
    ),
    ("ephemeral_container", "patch", {"objectRef.resource": "pods", "objectRef.subresource": "ephemeralcontainers"}),
    (
        "privileged_pod",
        "create",
        {**WORKLOAD, "requestObject.spec": {"containers": [{}, {"securityContext": {"privileged": True}}]}},
    ),
    (
        "privileged_pod",
        "create",
        {
            "objectRef.resource": "deployments",
            "requestObject.spec.template.spec": {"initContainers": [{"securityContext": {"privileged": True}}]},
        },
    ),
    ("host_path", "create", {**WORKLOAD, "requestObject.spec": {"volumes": [{"hostPath": {"path": "/etc"}}]}}),
    ("host_namespaces", "create", {**WORKLOAD, "requestObject.spec": {"hostPID": True}}),
    (
        "dangerous_capability",
        "create",
        {
            **WORKLOAD,
            "requestObject.spec": {"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
        },
    ),
    ("admission_changed", "patch", {**ADMISSION, "objectRef.resource": "mutatingwebhookconfigurations"}),
    ("events_deleted", "delete", {"objectRef.resource": "events"}),
    ("workload_in_kube_system", "create", {**WORKLOAD, "objectRef.namespace": "kube-system"}),
    ("critical_configmap_changed", "patch", {"objectRef.namespace": "kube-system", "objectRef.name": "aws-auth"}),
    ("rights_listed", "ask-for-rights", {"objectRef.resource": "selfsubjectrulesreviews"}),
)
"""Rules, and events that they find: a step of the recording, and what is another there."""

UNSUSPICIOUS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("secrets_listed", "list", {"objectRef.resource": "secrets", "user.username": "system:kube-controller-manager"}),
    ("secrets_listed", "list", {"objectRef.resource": "secrets", "objectRef.name": "db"}),
    ("anonymous_access", "get", {"user.username": "system:anonymous", "requestURI": "/healthz?verbose"}),
    ("wildcard_role", "create", {"objectRef.resource": "roles", "requestObject": {"rules": [{"verbs": ["get"]}]}}),
    ("token_requested", "token", {"user.username": "system:node:n1"}),
    (
        "curfew_guards_changed",
        "delete",
        {**ADMISSION, "objectRef.resource": "validatingadmissionpolicies", "objectRef.name": "x"},
    ),
    (
        "privileged_pod",
        "create",
        {**WORKLOAD, "requestObject.spec": {"containers": [{"securityContext": {"privileged": False}}]}},
    ),
    (
        "workload_in_kube_system",
        "create",
        {**WORKLOAD, "objectRef.namespace": "kube-system", "user.username": "system:node:n1"},
    ),
    ("csr_approved", "update", {"objectRef.resource": "certificatesigningrequests"}),
)
"""Rules, and events that they leave alone."""


def step(event: Mapping[str, Any]) -> str:
    """Return the step of the recording that an event is of."""
    return str(event["userAgent"]).partition("/")[2]


def made(of: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last event of a step, with other values at some places."""
    event: dict[str, Any] = copy.deepcopy(next(one for one in reversed(EVENTS) if step(one) == of))
    for path, value in changes.items():
        *way, last = path.split(".")
        place = event
        for part in way:
            place = place.setdefault(part, {})
        place[last] = copy.deepcopy(value)
    return event


def test_there_are_rules_and_events() -> None:
    assert len(RULES) >= 25
    assert len(EVENTS) > 200


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_what_sigma_requires(rule: SigmaRule) -> None:
    body = rule.body
    assert isinstance(body["title"], str)
    assert len(body["title"]) <= 100
    assert str(UUID(body["id"])) == body["id"]
    assert body["status"] == "experimental"
    assert body["description"].strip()
    assert body["level"] in ("informational", "low", "medium", "high", "critical")
    assert isinstance(body["date"], date)
    assert body["falsepositives"]
    assert all(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in body["tags"])
    assert ("correlation" in body) != ("detection" in body)
    if "detection" in body:
        assert (body["logsource"]["product"], body["logsource"]["service"]) == ("kubernetes", "audit")
        names = {name for name in body["detection"] if name != "condition"}
        assert [name for name in names if not _is_used(name, body["detection"]["condition"])] == []


def _is_used(name: str, condition: str) -> bool:
    patterns: Iterator[str] = (word for word in re.findall(r"\w+\*?", condition))
    return any(name == word or (word.endswith("*") and name.startswith(word[:-1])) for word in patterns)


def test_ids_and_titles_are_unique() -> None:
    for field in ("id", "title"):
        values = [rule.body[field] for rule in RULES.values()]
        assert len(set(values)) == len(values)


def test_rules_about_several_events_name_rules_that_are_there() -> None:
    named = {name for rule in RULES.values() for name in rule.body.get("correlation", {}).get("rules", ())}
    assert named
    assert named <= set(SINGLE)


@pytest.mark.parametrize("name", SINGLE)
def test_a_rule_finds_its_steps_of_the_recording_and_no_other(name: str) -> None:
    found = {step(event) for event in EVENTS if SINGLE[name].matches(event)}
    assert found == RECORDED.get(name, set())


@pytest.mark.parametrize(("name", "of", "changes"), MADE, ids=[f"{name}-{of}" for name, of, _ in MADE])
def test_a_rule_finds_what_it_describes(name: str, of: str, changes: dict[str, Any]) -> None:
    event = made(of, changes)
    assert SINGLE[name].matches(event)
    assert not SINGLE[name].matches({**event, "responseStatus": {"code": 403}, "annotations": {}})


@pytest.mark.parametrize(("name", "of", "changes"), UNSUSPICIOUS, ids=[f"{name}-{of}" for name, of, _ in UNSUSPICIOUS])
def test_a_rule_leaves_alone_what_is_everyday(name: str, of: str, changes: dict[str, Any]) -> None:
    assert not SINGLE[name].matches(made(of, changes))


def test_each_rule_is_shown_to_find_something() -> None:
    shown = {*RECORDED, *(name for name, _, _ in MADE)}
    assert set(SINGLE) - shown == set()


@pytest.mark.parametrize(("secrets", "minutes", "found"), [(20, 9.5, True), (19, 9.5, False), (20, 11, False)], ids=str)
def test_many_secrets_of_one_user_are_found(secrets: int, minutes: float, found: bool) -> None:
    begin = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    events = [
        made(
            "get",
            {
                "objectRef.resource": "secrets",
                "objectRef.name": f"s{number}",
                "requestReceivedTimestamp": (begin + number * timedelta(minutes=minutes) / (secrets - 1)).isoformat(),
            },
        )
        for number in range(secrets)
    ]
    assert RULES["secrets_read_en_masse"].found(events, RULES) is found


def test_many_refusals_of_one_user_are_found() -> None:
    rule = RULES["many_calls_refused"]
    assert rule.found(EVENTS, RULES)  # alice's of the recording, which took half a minute
    assert not rule.found([event for event in EVENTS if event["user"].get("username") != "alice@example.com"], RULES)


def test_the_page_lists_each_file() -> None:
    page = (TOP / "docs" / "detectors" / "public-rules.md").read_text()
    linked = set(re.findall(r"\.\./\.\./examples/sigma/([\w/]+\.yml)", page))
    assert linked == {str(path.relative_to(sigma.RULES)) for path in sigma.RULES.rglob("*.yml")}
