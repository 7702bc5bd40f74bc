"""The settings of the monitor, which finds out what was done with the access.

```yaml
trail:
  url: s3://curfew-trail/prod     # where the operator writes its log (audit.url there); the right to read is enough
  log: main                       # the name of that log
  key: curfew.dev/log/main+…      # the key of that log (curfew audit key); left out: the key that the log announces
audit:                            # the monitor's own log, as in the operator's settings
  url: s3://curfew-activity/prod
  log: main-activity              # left out: the name of the operator's log, and -activity
  keyFile: activity.pem           # a key of its own
  credentialsFolder: credentials  # for both stores: a process has one identity
  people: s3://curfew-people/prod # needed if the operator has it: where people's names are stored
limits: {maxGrant: 24h}           # as in the operator's settings: how far back the logs are read at a start
intake:
  webhook:                        # where API servers and others deliver audit events, over HTTPS
    host: 0.0.0.0
    port: 8443
    certFile: tls.crt
    keyFile: tls.key
    tokenFile: token              # the token that they send
    linesTokenFile: lines-token   # the token for lines of other systems (mappings), and for nothing else
    clientCaFile: ca.crt          # instead of tokenFile: the authority of the certificates that they show
  files:                          # files of JSON lines that are followed, also when they are rotated
    - path: /var/log/kubernetes/audit.log
      source: control-plane-1     # the name under which it counts as one API server
      format: Kubernetes          # Kubernetes | EKS | GKE | AKS
      position: /var/lib/curfew/audit.json   # where to keep how far it was read; left out: each start is the first
      begin: End                  # Beginning | End: where to begin in a file that was never read
      rotated: 0                  # with Beginning: how many rotated files to read before, the newest
  standardInput: {source: control-plane-1, format: Kubernetes}   # JSON lines on the process's standard input
  mappings: [postgresql.yaml]     # how the lines of other systems are read: POST /lines/SOURCE?mapping=SYSTEM
coverage:
  namespace: curfew-system        # where Curfew is installed: test calls are made there
  every: 60s                      # how often
  servers: Leases                 # how many API servers there are; Leases: as many as hold a lease in kube-system
detection:                        # what looks wrong: all settings of the detectors are in docs/detectors
  lookBack: 90d                   # how much of both logs is read at a start
  privileged: [ClusterRole/debug] # roles that count as privileged, besides those whose rules show it
  ManyRequests: {requests: 6}     # a detector, by its name
  policies: [{policy: payments/debug, ManyRequests: {requests: 10}}]   # what differs for single policies
notifications:
  routes: notifications/routes.yaml    # who is told what, and where (docs/notifications.md); left out: nobody is told anything
  link: https://HOST/{namespace}/{request}   # a page about a request that messages name; left out: none
outside:                          # bindings that give a role which a policy offers, and are no grants
  every: 5m                       # how often all bindings are listed
  allow:                          # which ones are meant to be there; all that an entry gives has to fit
  - {role: ClusterRole/view, subject: Group platform-team}
  - {binding: RoleBinding/payments/ops}
server: {host: 0.0.0.0, port: 8080}    # health and metrics
log: {level: info, format: json}  # debug | info | warning | error; json | console
```
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from curfew.api.times import Duration, format_duration
from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.segment import origin
from curfew.core.detectors.audit_gap import AuditGapSettings
from curfew.core.detectors.tuning import Tuned
from curfew.settings.audit import AuditSettings
from curfew.settings.detection import DetectionSettings
from curfew.settings.intake import IntakeSettings
from curfew.settings.loading import load
from curfew.settings.notifications import NotificationSettings
from curfew.settings.outside import OutsideSettings
from curfew.settings.sections import LimitSettings, LogSettings, ServerSettings
from curfew.settings.values import Section, between, dns_label, section, store_url

_MOST_SERVERS = 100


class TrailSettings(Section):
    """The operator's log, which is only read."""

    url: Annotated[str, AfterValidator(store_url)] = Field(examples=["s3://BUCKET/PREFIX"])
    log: Annotated[str, AfterValidator(dns_label)] = Field(default="main", examples=["main"])
    key: str | None = Field(default=None, examples=["what `curfew audit key` prints"])

    @field_validator("key")
    @classmethod
    def _a_key_of_that_log(cls, key: str | None, info: ValidationInfo) -> str | None:
        """Refuse what is no public key, or the key of another log."""
        if key is None:
            return None
        try:
            verifier = Verifier.parse(key)
        except KeyRefused as error:
            raise ValueError(f"cannot be used: {error}; write what `curfew audit key` prints") from error
        if "log" in info.data and verifier.name != origin(info.data["log"]):
            raise ValueError(f"is the key of {verifier.name}; write the key of {origin(info.data['log'])}")
        return key

    @property
    def verifier(self) -> Verifier | None:
        """The key, or None if it is to be the one that the log announces."""
        return Verifier.parse(self.key) if self.key is not None else None


def _servers(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_SERVERS
    if value == "Leases" or is_number:
        return value
    raise ValueError(f"is {value!r}; write the number of API servers, from 1 to {_MOST_SERVERS}, or Leases")


class CoverageSettings(Section):
    """How the monitor checks that it receives everything."""

    namespace: Annotated[str, AfterValidator(dns_label)] = Field(default="curfew-system", examples=["curfew-system"])
    every: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=10))] = Field(
        default=timedelta(seconds=60), examples=["60s"]
    )
    servers: Annotated[int | Literal["Leases"], BeforeValidator(_servers)] = Field(
        default="Leases", examples=["Leases"]
    )


class MonitorSettings(Section):
    """All settings."""

    trail: Annotated[TrailSettings, BeforeValidator(section)]
    audit: Annotated[AuditSettings, BeforeValidator(section)]
    limits: Annotated[LimitSettings, BeforeValidator(section)] = LimitSettings()
    intake: Annotated[IntakeSettings, BeforeValidator(section)]
    coverage: Annotated[CoverageSettings, BeforeValidator(section)] = CoverageSettings()
    detection: Annotated[DetectionSettings, BeforeValidator(section)] = DetectionSettings()
    notifications: Annotated[NotificationSettings, BeforeValidator(section)] = NotificationSettings()
    outside: Annotated[OutsideSettings, BeforeValidator(section)] = OutsideSettings()
    server: Annotated[ServerSettings, BeforeValidator(section)] = ServerSettings()
    log: Annotated[LogSettings, BeforeValidator(section)] = LogSettings()

    @property
    def tuned(self) -> Mapping[str, Tuned[Any]]:
        """The settings of each detector. How slow heartbeats may be follows from the other settings, if they are slow."""
        slowest = max(AuditGapSettings().heartbeat, self.audit.heartbeat, self.coverage.every)
        return self.detection.tuned_for({"AuditGap": {"heartbeat": format_duration(slowest)}})

    @field_validator("audit", mode="before")
    @classmethod
    def _named_after_the_trail(cls, audit: object, info: ValidationInfo) -> object:
        """Name the log after the operator's, if it has no name of its own."""
        trail = info.data.get("trail")
        if trail is not None and isinstance(audit, Mapping) and "log" not in audit:
            return {**audit, "log": f"{trail.log}-activity"}
        return audit

    @field_validator("audit")
    @classmethod
    def _not_the_trail(cls, audit: AuditSettings, info: ValidationInfo) -> AuditSettings:
        """Refuse the operator's own log: only the operator writes it."""
        trail = info.data.get("trail")
        if trail is not None and (audit.url, audit.log) == (trail.url, trail.log):
            raise ValueError(f"names the operator's own log; write another name at log, such as {trail.log}-activity")
        return audit

    @field_validator("intake")
    @classmethod
    def _from_somewhere(cls, intake: IntakeSettings) -> IntakeSettings:
        """Refuse a monitor that nothing can reach."""
        if intake.webhook is None and intake.standard_input is None and not intake.files:
            raise ValueError(
                "names no place where audit events arrive; write beneath it: webhook, files or standardInput"
            )
        read = (*intake.files, *((intake.standard_input,) if intake.standard_input is not None else ()))
        sources = [each.source for each in read]
        if twice := next((source for source in sources if sources.count(source) > 1), None):
            raise ValueError(f"names source {twice} twice; give each API server a name of its own")
        return intake


def load_monitor_settings(path: Path) -> MonitorSettings:
    """Return the monitor's settings in a YAML file. Raise `SettingsRefused` with everything that is wrong with them."""
    return load(path, MonitorSettings)
