"""The settings of the operator: how one installation differs from another.

```yaml
audit:
  url: s3://curfew-trail/prod     # where the log is written: s3://, gs://, az:// or file:///
  log: main                       # the log's name in there
  worm: required                  # required | advisory: whether the bucket must prove that it is write-once
  retention: 400d                 # how long the bucket has to lock each object at least, in days
  keepFor: 500d                   # a rule of the bucket may remove what is older; the log states it; left out: nothing
  attestEvery: 15m                # how often it has to prove that it is write-once, and segments are read back
  keyFile: signing.pem            # the Ed25519 private key (PEM) that signs the log, beside this file or absolute
  signer:                         # instead of keyFile, if the key is held elsewhere (needs securesystemslib)
    uri: hv:curfew/1              # the holder of the key, as securesystemslib writes it
    publicKey: |                  # the public half of the key, in PEM
      -----BEGIN PUBLIC KEY-----
  previousKeyFile: old.pem        # the previous key, while the log is handed over from that key to the new one
  previousSigner: {uri: …, publicKey: …}  # the same, if the previous key is held elsewhere
  credentialsFolder: credentials  # a folder whose files are variables, for example AWS_ACCESS_KEY_ID; read again and again
  heartbeat: 60s                  # how often an empty segment is written, to show that the operator runs
  people: s3://curfew-people/prod # where people's names are stored, if the log is to hold pseudonyms instead
  forward:                        # where records are also sent, once they are in the log
    url: https://collector/events # an HTTP collector; or, instead of it, stdout: true, a line for each record
    format: cloudevents           # cloudevents | otlp
    headersFile: headers          # lines like "Authorization: Bearer …", read again for each call
limits: {maxGrant: 24h}           # no grant is longer, whatever its policy says; at most 744h
finished: {keepFor: 720h}         # for how long a finished AccessRequest stays in the cluster; 0: for ever
enforcement:                      # regular attempts that show whether our admission policies are in force
  namespace: curfew-system        # where Curfew is installed
  serviceAccount: curfew-probe    # the service account that makes the attempts, in that namespace
  every: 30s
server: {host: 0.0.0.0, port: 8080}    # health and metrics
log: {level: info, format: json}  # debug | info | warning | error; json | console
```
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from curfew.api.times import Duration
from curfew.settings.audit import AuditSettings
from curfew.settings.loading import load
from curfew.settings.sections import LimitSettings, LogSettings, ServerSettings
from curfew.settings.values import Section, between, dns_label, no_time, section

_TEN_YEARS: Final = timedelta(hours=87600)


class FinishedSettings(Section):
    """How long finished AccessRequests are kept."""

    keep_for: Annotated[Duration, BeforeValidator(no_time), between(timedelta(0), _TEN_YEARS)] = Field(
        default=timedelta(hours=720), examples=["720h"]
    )


class EnforcementSettings(Section):
    """How the operator checks that our admission policies are in force."""

    namespace: Annotated[str, AfterValidator(dns_label)] = Field(default="curfew-system", examples=["curfew-system"])
    service_account: str = Field(default="curfew-probe", min_length=1, examples=["curfew-probe"])
    every: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=5))] = Field(
        default=timedelta(seconds=30), examples=["30s"]
    )


class Settings(Section):
    """All settings."""

    audit: Annotated[AuditSettings, BeforeValidator(section)]
    limits: Annotated[LimitSettings, BeforeValidator(section)] = LimitSettings()
    finished: Annotated[FinishedSettings, BeforeValidator(section)] = FinishedSettings()
    enforcement: Annotated[EnforcementSettings, BeforeValidator(section)] = EnforcementSettings()
    server: Annotated[ServerSettings, BeforeValidator(section)] = ServerSettings()
    log: Annotated[LogSettings, BeforeValidator(section)] = LogSettings()


def load_settings(path: Path) -> Settings:
    """Return the operator's settings in a YAML file. Raise `SettingsRefused` with everything that is wrong with them."""
    return load(path, Settings)
