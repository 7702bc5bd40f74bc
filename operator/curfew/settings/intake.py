"""Settings of the intake: where audit events arrive."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from curfew.core.activity.formats.forms import Form
from curfew.settings.values import Section, absolute, dns_label, existing_file, instead_of, one_of


class WebhookSection(Section):
    """Where API servers and others deliver over HTTPS, and how they prove who they are. Port 0: any that is free."""

    host: str = Field(default="0.0.0.0", min_length=1, examples=["0.0.0.0"])  # noqa: S104  API servers come from outside
    port: int = Field(default=8443, strict=True, ge=0, le=65535, examples=[8443])
    cert_file: Annotated[Path, AfterValidator(existing_file)] = Field(examples=["tls.crt"])
    key_file: Annotated[Path, AfterValidator(existing_file)] = Field(examples=["tls.key"])
    token_file: Annotated[Path | None, AfterValidator(existing_file)] = Field(default=None, examples=["token"])
    lines_token_file: Annotated[Path | None, AfterValidator(existing_file)] = Field(
        default=None, examples=["lines-token"]
    )
    client_ca_file: Annotated[Path | None, AfterValidator(existing_file), instead_of("token_file", "ca.crt")] = Field(
        default=None, validate_default=True, examples=["ca.crt"]
    )


class FileSection(Section):
    """A file of JSON lines that grows and is rotated. It need not exist yet."""

    path: Annotated[Path, AfterValidator(absolute)] = Field(examples=["/var/log/kubernetes/audit.log"])
    source: Annotated[str, AfterValidator(dns_label)] = Field(examples=["control-plane-1"])
    format: Annotated[Form, BeforeValidator(one_of(Form))] = Field(default=Form.KUBERNETES, examples=["Kubernetes"])
    position: Annotated[Path | None, AfterValidator(absolute)] = Field(
        default=None, examples=["/var/lib/curfew/audit.json"]
    )
    begin: Literal["Beginning", "End"] = Field(default="End", examples=["End"])
    rotated: int = Field(default=0, strict=True, ge=0, le=1000, examples=[0])


class StandardInputSection(Section):
    """JSON lines on the standard input of the process."""

    source: Annotated[str, AfterValidator(dns_label)] = Field(examples=["control-plane-1"])
    format: Annotated[Form, BeforeValidator(one_of(Form))] = Field(default=Form.KUBERNETES, examples=["Kubernetes"])


class IntakeSettings(Section):
    """From where audit events come, and how the lines of other systems are read."""

    webhook: WebhookSection | None = None
    standard_input: StandardInputSection | None = None
    mappings: Annotated[tuple[Annotated[Path, AfterValidator(existing_file)], ...], Field(max_length=32)] = Field(
        default=(), examples=["[postgresql.yaml]"]
    )
    files: Annotated[tuple[FileSection, ...], Field(max_length=32)] = Field(default=(), examples=["[]"])
