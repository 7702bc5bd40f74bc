"""One call of the API server, as an audit event shows it, whatever wrote the event down.

Everything in it comes from outside and is bounded where it is read. Much of it is chosen by the caller: the Audit-ID, the
user agent, and through proxies the first source addresses.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CallStage(StrEnum):
    """How far the call was when the event was written (audit.k8s.io/v1). RequestReceived is never used: nothing was decided."""

    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, as the API server authenticated it."""

    name: str
    groups: tuple[str, ...] = ()
    credential: str | None = None  # authentication.kubernetes.io/credential-id
    pod: tuple[str, str] | None = None  # name and UID of the pod that a service account's token is bound to


@dataclass(frozen=True, slots=True)
class AdmissionRefusal:
    """What the API server wrote down of an admission policy that a call does not satisfy."""

    policy: str
    message: str  # it may hold names of people


@dataclass(frozen=True, slots=True)
class Call:
    """A call. Times are aware and in UTC; `uri` has its query string, if the event shows all of it."""

    audit_id: str
    stage: CallStage
    received_at: datetime  # requestReceivedTimestamp
    at: datetime  # stageTimestamp
    verb: str
    uri: str
    caller: Caller
    impersonated: str | None = None  # the user that the caller acted as; RBAC was asked about this one
    group: str = ""
    version: str = ""
    resource: str = ""  # empty for a URL that is no resource
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    code: int | None = None
    source_addresses: tuple[str, ...] = ()
    user_agent: str | None = None
    decision: str | None = None  # annotation authorization.k8s.io/decision: allow or forbid
    reason: str | None = None  # annotation authorization.k8s.io/reason
    issued_credential: str | None = None  # annotation authentication.kubernetes.io/issued-credential-id
    shows_query: bool = True  # the event holds the query, and it was not cut
    refusals: tuple[AdmissionRefusal, ...] = ()  # a policy that only warns or audits is among them too
    decision_kind: str = ""  # our own annotation of a decision about a request, refused or not
    dry_run: bool | None = False  # nothing was to be stored; None if the event cannot show it: that is no dry run

    @property
    def user(self) -> str:
        """The user whose rights were used."""
        return self.impersonated or self.caller.name

    @property
    def identity(self) -> str:
        """What makes two events the same call, in hex: the Audit-ID alone does not, because the caller chooses it.

        The stage is left out, so that the beginning and the end of a stream are one call. The name is in it because two
        creations at the same microsecond have the same URI.
        """
        who = self.caller.name, self.user
        parts = (self.audit_id, self.received_at.isoformat(), *who, self.verb, self.uri, self.name)
        return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]
