"""Settings of the log: its address, its signing key, and where its records are forwarded."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from curfew.api.times import Duration
from curfew.settings.values import (
    Section,
    between,
    collector_url,
    dns_label,
    existing_file,
    existing_folder,
    instead_of,
    place,
    private_key_file,
    sent_in_secret,
    signer_uri,
    store_url,
    to_days,
)

_LEAST_KEPT: Final = timedelta(days=40)  # more than the longest grant, and the most that a start reads


class SignerSettings(Section):
    """A signing key that is held elsewhere."""

    uri: Annotated[str, AfterValidator(signer_uri)] = Field(examples=["hv:curfew/1"])
    public_key: str = Field(min_length=1, examples=["the public key in PEM"])


class ForwardSettings(Section):
    """Where records are forwarded."""

    stdout: bool = Field(default=False, strict=True, examples=["true"])
    url: Annotated[str | None, AfterValidator(collector_url), instead_of("stdout", "https://COLLECTOR/PATH")] = Field(
        default=None, validate_default=True, examples=["https://COLLECTOR/PATH"]
    )
    format: Literal["cloudevents", "otlp"] = Field(default="cloudevents", examples=["cloudevents"])
    headers_file: Annotated[Path | None, AfterValidator(existing_file), AfterValidator(sent_in_secret)] = Field(
        default=None, examples=["headers"]
    )


class AuditSettings(Section):
    """Where the log is written, and how."""

    url: Annotated[str, AfterValidator(store_url)] = Field(examples=["s3://BUCKET/PREFIX"])
    log: Annotated[str, AfterValidator(dns_label)] = Field(default="main", examples=["main"])
    worm: Literal["required", "advisory"] = Field(default="required", examples=["required"])
    retention: Annotated[timedelta, BeforeValidator(to_days)] = Field(default=timedelta(days=400), examples=["400d"])
    keep_for: Annotated[timedelta, BeforeValidator(to_days)] | None = Field(default=None, examples=["500d"])

    @field_validator("keep_for")
    @classmethod
    def _kept_while_locked(cls, keep_for: timedelta | None, info: ValidationInfo) -> timedelta | None:
        """Refuse a time within which objects are still locked, or are still read at a start."""
        least = max(info.data.get("retention", timedelta()), _LEAST_KEPT)
        if keep_for is not None and keep_for < least:
            raise ValueError(
                f"is {keep_for.days}d; write at least {least.days}d, the longer of retention and {_LEAST_KEPT.days}d"
            )
        return keep_for

    attest_every: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = Field(
        default=timedelta(minutes=15), examples=["15m"]
    )
    signer: SignerSettings | None = None
    key_file: Annotated[Path | None, AfterValidator(private_key_file), instead_of("signer", "signing.pem")] = Field(
        default=None, validate_default=True, examples=["signing.pem"]
    )
    previous_signer: SignerSettings | None = None
    previous_key_file: Annotated[Path | None, AfterValidator(private_key_file), instead_of("previous_signer", None)] = (
        Field(default=None, examples=["old.pem"])
    )
    heartbeat: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = Field(
        default=timedelta(seconds=60), examples=["60s"]
    )
    people: Annotated[str, AfterValidator(store_url)] | None = Field(default=None, examples=["s3://BUCKET/PREFIX"])

    @field_validator("people")
    @classmethod
    def _people_lie_elsewhere(cls, people: str | None, info: ValidationInfo) -> str | None:
        """Refuse the log's own bucket or folder: nothing is ever deleted there, but people must be deletable."""
        url = info.data.get("url")
        if people is not None and url is not None and place(people) == place(url):
            raise ValueError(f"is {people!r}, where the log is written; write the address of another bucket")
        return people

    credentials_folder: Annotated[Path | None, AfterValidator(existing_folder)] = Field(
        default=None, examples=["credentials"]
    )
    forward: ForwardSettings | None = None
