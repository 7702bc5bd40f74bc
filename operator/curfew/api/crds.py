"""The CustomResourceDefinitions, made from the models and the rules."""

from collections.abc import Mapping
from typing import Any, Literal

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.api.alert_response import AlertResponse
from curfew.api.meta import Model
from curfew.api.names import GROUP, VERSION
from curfew.api.rules import LOCK_RULES, POLICY_RULES, REQUEST_RULES, RESPONSE_RULES, Rule
from curfew.api.schemas import at, structural_schema

CATEGORY = "curfew"
"""`kubectl get curfew` lists all kinds of this category."""


def crds() -> tuple[dict[str, Any], ...]:
    """Return the definitions of all kinds as they are applied to a cluster."""
    return (
        _definition(
            AccessPolicy,
            plural="accesspolicies",
            short_name="apol",
            rules=POLICY_RULES,
            columns=[
                _column("Role", ".spec.roleRef.name"),
                _column("Max", ".spec.maxDuration"),
                _column("Mode", ".spec.approval.mode"),
                _column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
                _column("Age", ".metadata.creationTimestamp", type_="date"),
                _column("Kind", ".spec.roleRef.kind", wide=True),
                _column("Why", ".status.conditions[?(@.type=='Ready')].message", wide=True),
                _column("Description", ".spec.description", wide=True),
            ],
        ),
        _definition(
            AccessRequest,
            plural="accessrequests",
            short_name="areq",
            rules=REQUEST_RULES,
            columns=[
                _column("Phase", ".status.phase"),
                _column("Requester", ".spec.requester"),
                _column("Policy", ".spec.policyName"),
                _column("Approvals", ".status.approvals"),
                # As text: kubectl shows a date as an age, and the age of a future date is "<invalid>".
                _column("Start", ".spec.notBefore"),
                _column("Expires", ".status.activeUntil"),
                _column("Ended", ".status.endedAt"),
                _column("Review", ".status.conditions[?(@.type=='Reviewed')].reason"),
                _column("Age", ".metadata.creationTimestamp", type_="date"),
                _column("Why", ".status.conditions[?(@.type=='Active')].message"),
                _column("Changes", ".status.activity.changes", wide=True),
                _column("Ticket", ".spec.ticket", wide=True),
                _column("Reason", ".spec.reason", wide=True),
                _column("End", ".status.endReason", wide=True),
                _column("Reviewed", ".status.conditions[?(@.type=='Reviewed')].message", wide=True),
            ],
            selectable=[".spec.requester", ".spec.policyName", ".status.phase"],
        ),
        _definition(
            AlertResponse,
            plural="alertresponses",
            short_name="aresp",
            rules=RESPONSE_RULES,
            columns=[
                _column("Action", ".spec.action"),
                _column("Alert", ".spec.alert"),
                _column("Detector", ".spec.detector"),
                _column("Person", ".spec.person"),
                _column("Namespace", ".spec.namespace"),
                _column("Policy", ".spec.policy"),
                _column("Ends", ".spec.endsAt"),
                _column("By", ".spec.submittedBy"),
                _column("Age", ".metadata.creationTimestamp", type_="date"),
                _column("Reason", ".spec.reason", wide=True),
            ],
            scope="Cluster",
        ),
        _definition(
            AccessLock,
            plural="accesslocks",
            short_name="alock",
            scope="Cluster",
            rules=LOCK_RULES,
            columns=[
                _column("Person", ".spec.target.person"),
                _column("Policy", ".spec.target.policy"),
                _column("Namespace", ".spec.target.namespace"),
                _column("Everything", ".spec.target.everything", type_="boolean"),
                _column("In force", ".status.conditions[?(@.type=='InForce')].status"),
                # As text: kubectl shows a date as an age, and the age of a future date is "<invalid>".
                _column("Ends", ".spec.endsAt"),
                _column("Ended grants", ".status.grantsEnded", type_="integer"),
                _column("By", ".spec.submittedBy"),
                _column("Age", ".metadata.creationTimestamp", type_="date"),
                _column("Reason", ".spec.reason"),
            ],
        ),
    )


def _definition(
    model: type[Model],
    *,
    plural: str,
    short_name: str,
    rules: Mapping[str, tuple[Rule, ...]],
    columns: list[dict[str, Any]],
    selectable: list[str] | None = None,
    scope: Literal["Namespaced", "Cluster"] = "Namespaced",
) -> dict[str, Any]:
    kind = model.__name__
    schema = structural_schema(model)
    for path, of_path in rules.items():
        field = at(schema, path)
        # A time that people write has a narrower rule than any time; what stands on a time of ours comes on top.
        general = field.get("x-kubernetes-validations", []) if path.startswith("status.") else []
        field["x-kubernetes-validations"] = [*general, *(rule.to_json() for rule in of_path)]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if "status" in model.model_fields else {}),
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    if selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short_name],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def _column(name: str, path: str, *, type_: str = "string", wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": type_, "jsonPath": path, **({"priority": 1} if wide else {})}
