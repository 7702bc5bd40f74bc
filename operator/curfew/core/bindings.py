"""The RoleBinding that a grant is: how it is written, read back and compared.

It carries everything that is needed to end it: any replica, the sweeper or a person with kubectl can end it without the
request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.api import names
from curfew.api.access_policy import Mode
from curfew.api.access_request import AccessRequest
from curfew.api.times import format_time, parse_time
from curfew.audit.receipt import Receipt
from curfew.core.reasons import Reason

RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding as it was read."""

    namespace: str
    name: str
    uid: str
    created_at: datetime
    request_uid: str  # from our label; empty if there is none
    request: str  # the request's name, from our annotation
    owner_uid: str  # the AccessRequest that owns the binding; empty if none does
    role: tuple[str, str]  # kind, name
    subjects: tuple[tuple[str, str], ...]  # kind, name
    starts_at: datetime | None
    expires_at: datetime | None  # None if it is missing or unreadable: then the grant has no right to exist
    receipt: Receipt | None
    terms: str
    policy: str = ""  # the name of the policy that it was granted under, from our annotation
    is_unrecorded: bool = False  # the binding is marked as made before its record was durable

    @property
    def claim(self) -> str:
        """The UID of the binding's request, read from its name, which nobody can change; its own UID if the name has none."""
        return names.granted_by(self.name) or self.uid


def read_binding(body: Mapping[str, Any]) -> Binding:
    """Read a RoleBinding. If a field that we wrote is missing or malformed, it is returned empty, never as an error."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    owners = meta.get("ownerReferences") or []
    role = body.get("roleRef") or {}
    return Binding(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        created_at=parse_time(meta["creationTimestamp"]),
        request_uid=(meta.get("labels") or {}).get(names.LABEL_REQUEST_UID, ""),
        request=annotations.get(names.ANNOTATION_REQUEST, ""),
        owner_uid=next((owner.get("uid", "") for owner in owners if owner.get("kind") == "AccessRequest"), ""),
        role=(role.get("kind", ""), role.get("name", "")),
        subjects=tuple((subject.get("kind", ""), subject.get("name", "")) for subject in body.get("subjects") or []),
        starts_at=_time(annotations.get(names.ANNOTATION_STARTS_AT)),
        expires_at=_time(annotations.get(names.ANNOTATION_EXPIRES_AT)),
        receipt=_receipt(annotations.get(names.ANNOTATION_RECEIPT)),
        terms=annotations.get(names.ANNOTATION_TERMS, ""),
        policy=annotations.get(names.ANNOTATION_POLICY, ""),
        is_unrecorded=annotations.get(names.ANNOTATION_RECEIPT) == names.NOT_RECORDED,
    )


def write_binding(
    request: AccessRequest, *, starts_at: datetime, expires_at: datetime, receipt: Receipt | None
) -> dict[str, Any]:
    """Return the manifest of a request's grant: named after the request, owned by it, for one person, with end and receipt.

    One kind of grant has no receipt because it does not wait for its record: a broken glass whose policy allows that by
    name.
    """
    meta, terms = request.metadata, request.status.terms
    if terms is None:
        raise ValueError(f"request {meta.namespace}/{meta.name} has no terms: nothing may be granted")
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": names.binding_name(meta.uid),
            "namespace": meta.namespace,
            "labels": {names.LABEL_REQUEST_UID: meta.uid},
            "annotations": {
                names.ANNOTATION_REQUEST: meta.name,
                names.ANNOTATION_POLICY: request.spec.policy_name,
                names.ANNOTATION_TERMS: terms.digest,
                names.ANNOTATION_STARTS_AT: format_time(starts_at),
                names.ANNOTATION_EXPIRES_AT: format_time(expires_at),
                names.ANNOTATION_RECEIPT: receipt.compact() if receipt is not None else names.NOT_RECORDED,
            },
            # Deleting the request ends the access even while Curfew is down: the garbage collector deletes the binding.
            "ownerReferences": [
                {
                    "apiVersion": f"{names.GROUP}/{names.VERSION}",
                    "kind": "AccessRequest",
                    "name": meta.name,
                    "uid": meta.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": terms.role.kind, "name": terms.role.name},
        "subjects": [{"apiGroup": RBAC_GROUP, "kind": "User", "name": request.spec.requester}],
    }


def find_drift(binding: Binding, request: AccessRequest) -> tuple[Reason, str] | None:
    """Return how a binding differs from what its request was granted, as a reason and a sentence, or None."""
    terms, status = request.status.terms, request.status
    if binding.expires_at is None:
        return Reason.EXPIRY_MISSING, "the binding has no readable end"
    differences = []
    if binding.namespace != request.metadata.namespace:
        differences.append(f"it is in namespace {binding.namespace}")
    if binding.request_uid != request.metadata.uid:
        differences.append(f"label {names.LABEL_REQUEST_UID} is {binding.request_uid or 'missing'}")
    if binding.owner_uid != request.metadata.uid:
        differences.append("it is not owned by the request")
    if terms is None or binding.role != (terms.role.kind, terms.role.name):
        differences.append(f"it grants {' '.join(binding.role)}")
    if binding.subjects != (("User", request.spec.requester),):
        people = ", ".join(" ".join(subject) for subject in binding.subjects) or "nobody"
        differences.append(f"it is for {people}")
    if terms is not None and binding.terms != terms.digest:
        differences.append("it was made on other terms")
    if binding.receipt is None and not (binding.is_unrecorded and terms is not None and terms.mode is Mode.BREAK_GLASS):
        differences.append("it has no receipt")
    if binding.starts_at is None or binding.expires_at - binding.starts_at > request.spec.duration:
        differences.append("it lasts longer than was requested")
    if status.expires_at is not None and binding.expires_at > status.expires_at:
        differences.append(f"its end is later than {format_time(status.expires_at)}")
    return (Reason.BINDING_TAMPERED, "; ".join(differences)) if differences else None


def _time(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _receipt(text: str | None) -> Receipt | None:
    try:
        return Receipt.parse(text) if text else None
    except ValueError:
        return None
