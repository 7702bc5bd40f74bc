"""AlertResponse: a person resolves an alert, or silences alerts of a kind until a time."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from curfew.api.access_policy import DNS_LABEL
from curfew.api.access_request import CAMEL_CASE
from curfew.api.characters import LONGEST_NAME
from curfew.api.meta import Model, ObjectMeta
from curfew.api.names import API_VERSION
from curfew.api.times import Time

ALERT_ID = "^[0-9a-f]{32}$"
DNS_SUBDOMAIN = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"


class ResponseAction(StrEnum):
    """What a person does about alerts."""

    RESOLVE = "Resolve"
    SILENCE = "Silence"


class AlertResponseSpec(Model):
    """What is done, about which alerts, why, and by whom. It can never be changed."""

    action: ResponseAction = Field(
        description=(
            "Resolve closes one alert, which is named in alert. Silence lets matching alerts be recorded, but not reported, "
            "until endsAt or until this object is deleted."
        )
    )
    alert: str | None = Field(
        default=None,
        min_length=32,
        max_length=32,
        pattern=ALERT_ID,
        description="With Resolve: the id of the alert, as curfew alerts list shows it.",
    )
    detector: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        pattern=CAMEL_CASE,
        description="With Silence: only alerts of this detector, such as ManyRequests. If left out, of all detectors.",
    )
    person: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "With Silence: only alerts that are about this person above all. If left out, about anybody. Nobody can "
            "silence alerts about themselves."
        ),
    )
    policy: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        pattern=DNS_SUBDOMAIN,
        description="With Silence: only alerts about this AccessPolicy of the namespace in namespace. If left out, about any.",
    )
    namespace: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="With Silence: only alerts about this namespace. If left out, about any.",
    )
    reason: str = Field(min_length=1, max_length=1024, description="Why, for the record and for those who look later.")
    ends_at: Time | None = Field(
        default=None,
        description=(
            "With Silence: when alerts are reported again, such as 2026-11-23T20:00:00Z. At most 90 days after the object "
            "is created."
        ),
    )
    submitted_by: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "The user who creates this object; always the caller, and a person. On Kubernetes 1.36 and later, it is filled "
            "in; on earlier versions, it is required."
        ),
    )


class AlertResponse(Model):
    """An AlertResponse resolves an alert of the monitor, or silences alerts until a time, with a reason."""

    api_version: Literal["curfew.dev/v1alpha1"] = API_VERSION
    kind: Literal["AlertResponse"] = "AlertResponse"
    metadata: ObjectMeta
    spec: AlertResponseSpec = Field(
        description="What is done, about which alerts, why, and by whom. It can never be changed."
    )
