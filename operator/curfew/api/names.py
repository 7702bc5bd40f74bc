"""Names that Curfew puts on objects, and by which other programs find them."""

import re
from typing import Final

GROUP: Final = "curfew.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "curfew.dev/v1alpha1"

NAMESPACE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What the API server takes as the name of a namespace, for `fullmatch`: at most 63 characters."""

OBJECT_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""What it takes as the name of a custom object, for `fullmatch`: such names with dots between them (RFC 1123)."""

PREFIX = f"{GROUP}/"
"""Labels and annotations with this prefix are Curfew's own; admission keeps people from writing them."""

LABEL_REQUEST_UID = f"{PREFIX}request-uid"
"""On a RoleBinding: the UID of the AccessRequest that it grants. It makes the binding ours."""

LABEL_CLOSED = f"{PREFIX}closed"
"""On an AccessRequest, with the value "true": finished and recorded, no longer watched."""

LABEL_COUNTED_IN = f"{PREFIX}counted-in"
"""On a closed AccessRequest that was refused and is counted with others in one record: the hour (2026-11-23T12)."""

ANNOTATION_EXPIRES_AT = f"{PREFIX}expires-at"
"""On a RoleBinding: when it ends, RFC 3339. All that a sweeper needs to know."""

ANNOTATION_STARTS_AT = f"{PREFIX}starts-at"
"""On a RoleBinding: when the granted window began, RFC 3339."""

ANNOTATION_RECEIPT = f"{PREFIX}receipt"
"""On a RoleBinding: the place in the log of the record that announced it."""

ANNOTATION_REQUEST = f"{PREFIX}request"
"""On a RoleBinding: the name of the AccessRequest that it grants."""

ANNOTATION_POLICY = f"{PREFIX}policy"
"""On a RoleBinding: the name of the AccessPolicy under which it was granted."""

ANNOTATION_TERMS = f"{PREFIX}terms"
"""On a RoleBinding: the digest of the terms that were approved."""

CHECKPOINT_CONFIG_MAP: Final = "curfew-checkpoint"
CHECKPOINT_KEY: Final = "checkpoint"
"""The ConfigMap with the newest checkpoint, and the key in it whose value is the checkpoint: a signed note."""

LEADER_LEASE: Final = "curfew"
"""The Lease in Curfew's own namespace whose holder grants and appends."""

SWEEPER_CRON_JOB: Final = "curfew-sweeper"
"""The CronJob that the chart makes in Curfew's own namespace, to end access while the operator is down."""

SELF_TEST_REQUEST: Final = "curfew-probe"
"""The AccessRequest that Curfew makes in its own namespace, to try what its admission policies must refuse."""


SELF_TEST_POLICY: Final = "curfew-canary"
"""The AccessPolicy that Curfew makes there for the same purpose. It offers nobody a Role that has no rules."""


NOT_RECORDED: Final = "not-recorded"
"""Replaces the receipt on a break-glass grant whose policy allows it before its record (whenNotRecorded: Grant)."""


def is_self_test(namespace: str, name: str, submitted_by: str) -> bool:
    """Whether an AccessRequest is Curfew's self-test: made under that name by a service account of its own namespace."""
    return name == SELF_TEST_REQUEST and submitted_by.startswith(f"system:serviceaccount:{namespace}:")


def is_self_test_policy(name: str, role_kind: str, role_name: str) -> bool:
    """Whether an AccessPolicy is that of the self-test: it has its name, and offers the Role without rules."""
    return (name, role_kind, role_name) == (SELF_TEST_POLICY, "Role", SELF_TEST_REQUEST)


def binding_name(uid: str) -> str:
    """Return the name of the RoleBinding that grants the AccessRequest with this UID."""
    return f"{_BINDING}{uid}"


def granted_by(binding: str) -> str | None:
    """Return the UID of the AccessRequest that a RoleBinding of this name grants, or None for any other name."""
    return binding.removeprefix(_BINDING) if binding.startswith(_BINDING) else None


_BINDING = "curfew-"
