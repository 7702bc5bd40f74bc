"""The forms in which audit events arrive, and why an event is refused."""

from enum import StrEnum


class Form(StrEnum):
    """Who wrote the events, and so how they are written."""

    KUBERNETES = "Kubernetes"  # audit.k8s.io/v1, by the API server's log or webhook backend
    EKS = "EKS"  # CloudWatch Logs
    GKE = "GKE"  # Cloud Logging
    AKS = "AKS"  # diagnostic settings, category kube-audit or kube-audit-admin


class Why(StrEnum):
    """Why an event is refused. Each is counted; none ends anything."""

    NOT_JSON = "NotJSON"
    NOT_AN_EVENT = "NotAnAuditEvent"  # another log, another kind
    REQUEST_RECEIVED = "RequestReceived"  # of that stage: nothing was decided yet
    WRONG_FIELD = "WrongField"  # a field is missing or has the wrong type
    TOO_LARGE = "TooLarge"  # more bytes, or values, than are read
    TOO_MANY = "TooMany"  # more events than are read at once
    FUTURE = "FromTheFuture"
    OLD = "TooOld"
    OTHER_CLUSTER = "OtherCluster"

    @property
    def hides(self) -> bool:
        """Whether what was refused can have been a call, so that silence proves nothing any more."""
        return self not in (Why.NOT_AN_EVENT, Why.REQUEST_RECEIVED, Why.OTHER_CLUSTER)


class EventRefused(ValueError):
    """An event, or a whole batch, that cannot be used. `str(error)` completes "it was refused: ..."."""

    def __init__(self, why: Why, detail: str) -> None:
        """Take the reason, and a clause that holds nothing of the event but the names of fields."""
        super().__init__(detail)
        self.why = why
