"""One call of the API server or of another system, as OCSF's class API Activity (6003) holds it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ApiCall:
    """What was called: never a body, a query string or a header other than the Audit-ID."""

    verb: str
    audit_id: str  # chosen by the caller, so it identifies nothing by itself
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    code: int | None = None

    @property
    def kind(self) -> str:
        """The resource as kubectl writes it, such as `deployments.apps/scale` or `pods`."""
        group = f".{self.group}" if self.group else ""
        subresource = f"/{self.subresource}" if self.subresource else ""
        return f"{self.resource}{group}{subresource}"

    def to_ocsf(self) -> dict[str, Any]:
        """Return OCSF's fields `api` and `resources`."""
        api: dict[str, Any] = {
            "operation": self.verb,
            "request": {"uid": self.audit_id},
            "service": {"name": "kubernetes"},
        }
        if self.group:
            api["group"] = {"name": self.group}
        if self.version:
            api["version"] = self.version
        if self.code is not None:
            api["response"] = {"code": self.code}
        if not self.resource:
            return {"api": api}
        # OCSF wants a name; a call for all objects of a kind has none.
        resource = {"type": self.kind, "name": self.name or "*", "namespace": self.namespace, "uid": self.uid}
        return {"api": api, "resources": [{key: value for key, value in resource.items() if value}]}


@dataclass(frozen=True, slots=True)
class ExternalCall:
    """What was done in another system, as far as that system's log shows it."""

    system: str
    action: str | None = None
    object: str | None = None

    def to_ocsf(self) -> dict[str, Any]:
        """Return OCSF's fields `api` and `resources`. OCSF requires an operation, also if it is not known."""
        api = {"operation": self.action or "unknown", "service": {"name": self.system}}
        return {"api": api} if self.object is None else {"api": api, "resources": [{"name": self.object}]}
