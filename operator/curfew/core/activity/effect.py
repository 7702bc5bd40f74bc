"""What a call did, how it is tied to a session, and which kinds of access stand out."""

from enum import StrEnum


class Effect(StrEnum):
    """What a call did to the cluster."""

    READ = "Read"
    CHANGED = "Changed"
    OPAQUE = "Opaque"  # a connection that hides what was done: exec, attach, port-forward, a proxy
    UNSURE = "Unsure"  # it may have changed something, and the event does not show whether it did
    DENIED = "Denied"  # 401 or 403: by authentication, RBAC or admission
    FAILED = "Failed"  # any other error
    DRY_RUN = "DryRun"


class How(StrEnum):
    """How a call is tied to a session, the strongest first."""

    BINDING = "Binding"  # the API server names the session's binding as what allowed the call
    IMPERSONATION = "Impersonation"  # made as a service account that the grant lets its person act as
    TOKEN = "Token"  # noqa: S105  no secret: made with a token that was minted in the session
    POD = "Pod"  # made by a pod that the session created
    STANDING = "Standing"  # other access allowed the call, and the grant would have allowed it too
    UNEXPLAINED = "Unexplained"  # allowed, the event does not show by what, and the grant would have allowed it
    PERSON = "Person"  # refused, so nothing allowed it: the same person, namespace and time


DERIVED = frozenset({How.TOKEN, How.POD})
"""Made with what the session gave birth to."""

OWN = frozenset({How.BINDING, How.IMPERSONATION}) | DERIVED
"""Made with the access. All other calls are candidates, or were refused."""


class Sensitive(StrEnum):
    """Kinds of access that stand out in a story."""

    SECRETS = "Secrets"
    EXEC = "Exec"
    ATTACH = "Attach"
    PORT_FORWARD = "PortForward"
    PROXY = "Proxy"
    CONNECTION = "Connection"  # any other that the API server does not see into
    TOKEN_REQUEST = "TokenRequest"  # noqa: S105  no secret
    RBAC = "RBAC"  # roles or bindings were written or deleted
    ADMISSION = "Admission"  # webhooks or policies of admission were written
    IMPERSONATION = "Impersonation"
    EPHEMERAL_CONTAINERS = "EphemeralContainers"
