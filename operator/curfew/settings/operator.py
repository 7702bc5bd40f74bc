"""How one installation differs from another: read from a YAML file at the start, all of it or nothing.

```yaml
audit:
  url: s3://curfew-trail/prod     # where the log is written: s3://, gs://, az:// or file:///
  log: main                       # the log's name in there
  worm: required                  # required | advisory: whether the bucket must prove that it is write-once
  retention: 400d                 # for how long the bucket has to lock each object at least, in days
  keepFor: 500d                   # what is older may be removed, by a rule of the bucket: the log states it; left out: nothing
  attestEvery: 15m                # how often it has to prove that, and segments are read back
  keyFile: signing.pem            # the Ed25519 private key (PEM) that signs the log, beside this file or absolute
  signer:                         # instead of keyFile, where somebody else holds the key (needs securesystemslib)
    uri: hv:curfew/1              # who does, as securesystemslib writes it
    publicKey: |                  # the other half of it, in PEM
      -----BEGIN PUBLIC KEY-----
  previousKeyFile: old.pem        # the key before it, while the log is handed over from one to the other
  previousSigner: {uri: …, publicKey: …}  # the same, where somebody else holds that
  credentialsFolder: credentials  # a folder whose files stand for variables such as AWS_ACCESS_KEY_ID, read again and again
  heartbeat: 60s                  # how often an empty segment proves life
  people: s3://curfew-people/prod # where people's names lie, if the log is to hold pseudonyms instead
  forward:                        # where records are sent to as well, once they are in the log
    url: https://collector/events # an HTTP collector; or, instead of it, stdout: true, a line for each record
    format: cloudevents           # cloudevents | otlp
    headersFile: headers          # lines such as "Authorization: Bearer …", read again for each call
limits: {maxGrant: 24h}           # no grant is longer, whatever its policy says; at most 744h
finished: {keepFor: 720h}         # for how long a finished AccessRequest stays in the cluster; 0: for ever
enforcement:                      # whether our admission policies are in force is tried again and again
  namespace: curfew-system        # where Curfew is installed
  serviceAccount: curfew-probe    # who tries, there
  every: 30s
server: {host: 0.0.0.0, port: 8080}    # health and metrics
log: {level: info, format: json}  # debug | info | warning | error; json | console
```
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from curfew.api.times import Duration, format_duration
from curfew.settings.files import read_given

_STORES = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DAYS = re.compile(r"[1-9][0-9]{0,3}d")
_LEAST_KEPT = timedelta(days=40)  # more than the longest grant, and what a start reads at most
_MAX_GRANT = timedelta(days=31)  # what the CustomResourceDefinitions let anybody ask for


_TEN_YEARS = timedelta(hours=87600)


class SettingsRefused(Exception):
    """The settings cannot be used. Each problem is a sentence that says where, what is wrong, and what is right."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _store_url(url: str) -> str:
    """Return the address of a store, or raise ValueError."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(f"must not hold credentials; they come from the environment. Write {_STORES}")
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return url
    if parts.scheme in {"s3", "gs", "az"} and parts.netloc:
        return url
    raise ValueError(f"is {url!r}, which is not the address of a store; write {_STORES}")


def _place(url: str) -> str:
    """Return the bucket of an address, or its folder."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc or parts.path.rstrip('/')}"


def _dns_label(name: str) -> str:
    """Return a name fit for a path and a DNS label, or raise ValueError."""
    if not _LABEL.fullmatch(name):
        raise ValueError(f"is {name!r}; write up to 63 small letters, digits and dashes, such as main")
    return name


def _existing_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path, taken from the settings' own folder where it is relative, or raise ValueError."""
    if path is None:
        return None
    path = Path((info.context or {}).get("folder", "")) / path
    if not path.is_file():
        raise ValueError(f"names {path}, which is not there")
    return path


def _existing_folder(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a folder, taken from the settings' own where it is relative, or raise ValueError."""
    if path is None:
        return None
    path = Path((info.context or {}).get("folder", "")) / path
    if not path.is_dir():
        raise ValueError(f"names {path}, which is not a folder")
    return path


def _key_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a private key, or raise ValueError, with how to make one."""
    try:
        return _existing_file(path, info)
    except ValueError as error:
        made = str(error).removeprefix("names ").removesuffix(", which is not there")
        raise ValueError(f"{error}; make it with: openssl genpkey -algorithm ed25519 -out {made}") from None


def _instead_of(other: str, missing: str | None) -> AfterValidator:
    """Return a check that a field or the other one, which stands before it, is given, and not both.

    `missing` is what to say where neither is; None where that is right as well.
    """

    def check(value: object, info: ValidationInfo) -> object:
        known, alias = other in info.data, to_camel(other)
        if value and info.data.get(other):
            raise ValueError(f"is given, and so is {alias}; write one of them")
        if missing is not None and not value and known and not info.data[other]:
            raise ValueError(f"is missing; write, for example, {missing}, or {alias} instead of it")
        return value

    return AfterValidator(check)


def _signer_uri(uri: str) -> str:
    """Return the URI of a signer, or raise ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9]*:\S+", uri):
        raise ValueError(f"is {uri!r}; write who holds the key, such as hv:curfew/1")
    return uri


def _collector_url(url: str | None) -> str | None:
    """Return the address of a collector, or raise ValueError, which does not repeat what may be a secret in it."""
    if url is None:
        return None
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query:
        raise ValueError("must not hold credentials or a query; write credentials into headersFile")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not the address of an HTTP collector; write https://HOST/PATH")
    return url


def _sent_in_secret(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a file with credentials, or raise ValueError where they would be sent for all to read."""
    parts = urlsplit(info.data.get("url") or "")
    if path is not None and parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("is given, and url begins with http://; credentials are only sent to https://")
    return path


def _between(least: timedelta, most: timedelta) -> AfterValidator:
    """Return a check that a duration is within bounds, both included."""

    def check(duration: timedelta) -> timedelta:
        if least <= duration <= most:
            return duration
        said, low, high = (format_duration(each) for each in (duration, least, most))
        raise ValueError(f"is {said}; write a duration from {low} to {high}")

    return AfterValidator(check)


def _to_days(value: object) -> object:
    """Return a number of whole days, written 400d, as a duration, or raise ValueError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DAYS.fullmatch(value):
        raise ValueError(f"is {value!r}; write whole days from 1d to 9999d, such as 400d")
    return timedelta(days=int(value.removesuffix("d")))


def _no_time(value: object) -> object:
    """Take the number 0, which YAML does not write as a text, for a duration."""
    return "0" if value == 0 and isinstance(value, int) and not isinstance(value, bool) else value


def _section(value: object) -> object:
    """Take a section with nothing in it for one that is not there."""
    return {} if value is None else value


class _Settings(BaseModel):
    """Whatever is in the file is meant: nothing unknown is passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class SignerSettings(_Settings):
    """A signing key that somebody else holds."""

    uri: Annotated[str, AfterValidator(_signer_uri)] = Field(examples=["hv:curfew/1"])
    public_key: str = Field(min_length=1, examples=["the public key in PEM"])


class ForwardSettings(_Settings):
    """Where records are sent to as well."""

    stdout: bool = Field(default=False, strict=True, examples=["true"])
    url: Annotated[str | None, AfterValidator(_collector_url), _instead_of("stdout", "https://COLLECTOR/PATH")] = Field(
        default=None, validate_default=True, examples=["https://COLLECTOR/PATH"]
    )
    format: Literal["cloudevents", "otlp"] = Field(default="cloudevents", examples=["cloudevents"])
    headers_file: Annotated[Path | None, AfterValidator(_existing_file), AfterValidator(_sent_in_secret)] = Field(
        default=None, examples=["headers"]
    )


class AuditSettings(_Settings):
    """Where the trail is written, and how."""

    url: Annotated[str, AfterValidator(_store_url)] = Field(examples=["s3://BUCKET/PREFIX"])
    log: Annotated[str, AfterValidator(_dns_label)] = Field(default="main", examples=["main"])
    worm: Literal["required", "advisory"] = Field(default="required", examples=["required"])
    retention: Annotated[timedelta, BeforeValidator(_to_days)] = Field(default=timedelta(days=400), examples=["400d"])
    keep_for: Annotated[timedelta, BeforeValidator(_to_days)] | None = Field(default=None, examples=["500d"])

    @field_validator("keep_for")
    @classmethod
    def _kept_while_locked(cls, keep_for: timedelta | None, info: ValidationInfo) -> timedelta | None:
        """Refuse to give up what is still locked, and what a start reads."""
        least = max(info.data.get("retention", timedelta()), _LEAST_KEPT)
        if keep_for is not None and keep_for < least:
            raise ValueError(
                f"is {keep_for.days}d; write at least {least.days}d: no less than retention, and than {_LEAST_KEPT.days}d"
            )
        return keep_for

    attest_every: Annotated[Duration, _between(timedelta(seconds=1), timedelta(hours=1))] = Field(
        default=timedelta(minutes=15), examples=["15m"]
    )
    signer: SignerSettings | None = None
    key_file: Annotated[Path | None, AfterValidator(_key_file), _instead_of("signer", "signing.pem")] = Field(
        default=None, validate_default=True, examples=["signing.pem"]
    )
    previous_signer: SignerSettings | None = None
    previous_key_file: Annotated[Path | None, AfterValidator(_key_file), _instead_of("previous_signer", None)] = Field(
        default=None, examples=["old.pem"]
    )
    heartbeat: Annotated[Duration, _between(timedelta(seconds=1), timedelta(hours=1))] = Field(
        default=timedelta(seconds=60), examples=["60s"]
    )
    people: Annotated[str, AfterValidator(_store_url)] | None = Field(default=None, examples=["s3://BUCKET/PREFIX"])

    @field_validator("people")
    @classmethod
    def _people_lie_elsewhere(cls, people: str | None, info: ValidationInfo) -> str | None:
        """Refuse the log's own bucket or folder: what is to be forgotten cannot lie where nothing is ever deleted."""
        url = info.data.get("url")
        if people is not None and url is not None and _place(people) == _place(url):
            raise ValueError(f"is {people!r}, where the log is written too; write the address of another bucket")
        return people

    credentials_folder: Annotated[Path | None, AfterValidator(_existing_folder)] = Field(
        default=None, examples=["credentials"]
    )
    forward: ForwardSettings | None = None


class LimitSettings(_Settings):
    """What no policy can exceed."""

    max_grant: Annotated[Duration, _between(timedelta(minutes=1), _MAX_GRANT)] = Field(
        default=timedelta(hours=24), examples=["24h"]
    )


class FinishedSettings(_Settings):
    """What becomes of AccessRequests that are over."""

    keep_for: Annotated[Duration, BeforeValidator(_no_time), _between(timedelta(0), _TEN_YEARS)] = Field(
        default=timedelta(hours=720), examples=["720h"]
    )


class EnforcementSettings(_Settings):
    """How it is found out that our admission policies are in force."""

    namespace: Annotated[str, AfterValidator(_dns_label)] = Field(default="curfew-system", examples=["curfew-system"])
    service_account: str = Field(default="curfew-probe", min_length=1, examples=["curfew-probe"])
    every: Annotated[Duration, _between(timedelta(seconds=1), timedelta(minutes=5))] = Field(
        default=timedelta(seconds=30), examples=["30s"]
    )


class ServerSettings(_Settings):
    """Where health and metrics are served. Port 0: any that is free."""

    host: str = Field(default="0.0.0.0", min_length=1, examples=["0.0.0.0"])  # noqa: S104  probes come from outside
    port: int = Field(default=8080, strict=True, ge=0, le=65535, examples=[8080])


class LogSettings(_Settings):
    """What is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", examples=["info"])
    format: Literal["json", "console"] = Field(default="json", examples=["json"])


class Settings(_Settings):
    """All settings."""

    audit: Annotated[AuditSettings, BeforeValidator(_section)]
    limits: Annotated[LimitSettings, BeforeValidator(_section)] = LimitSettings()
    finished: Annotated[FinishedSettings, BeforeValidator(_section)] = FinishedSettings()
    enforcement: Annotated[EnforcementSettings, BeforeValidator(_section)] = EnforcementSettings()
    server: Annotated[ServerSettings, BeforeValidator(_section)] = ServerSettings()
    log: Annotated[LogSettings, BeforeValidator(_section)] = LogSettings()


MOST_SETTINGS = 1024 * 1024
"""Most bytes of a settings file."""


def load_settings(path: Path) -> Settings:
    """Return the settings in a YAML file, or raise `SettingsRefused` with all that is wrong with them."""
    try:
        node = yaml.compose(read_given(path, MOST_SETTINGS).decode(), Loader=yaml.SafeLoader)
        data = {} if node is None else yaml.SafeLoader("").construct_document(node)
    except OSError as error:
        raise SettingsRefused((f"{path}: cannot be read: {error.strerror or error}.",)) from error
    except UnicodeDecodeError as error:
        raise SettingsRefused((f"{path}: is not text in UTF-8.",)) from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsRefused((f"{path}{line}: is not YAML: {error.problem or error}.",)) from error
    except yaml.YAMLError as error:
        raise SettingsRefused((f"{path}: is not YAML: {error}.",)) from error
    if not isinstance(data, dict):
        raise SettingsRefused((f"{path}: holds no settings; it begins with: audit:",))
    lines, twice = _lines(node)
    problems = [f"{path}:{line}: {key} is set twice; keep one." for key, line in twice]
    try:
        settings = Settings.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        problems += (_sentence(path, lines, detail) for detail in error.errors())
        raise SettingsRefused(tuple(problems)) from error
    if problems:
        raise SettingsRefused(tuple(problems))
    return settings


def _sentence(path: Path, lines: Mapping[str, int], detail: ErrorDetails) -> str:
    """Return what pydantic found as a sentence for whoever wrote the file."""
    # A check of a setting that is not there names it as the code does.
    is_checked = detail["type"] == "value_error"
    key = ".".join(to_camel(str(part)) if is_checked else str(part) for part in detail["loc"])
    where = f"{path}:{lines[key]}: " if key in lines else f"{path}: "
    match detail["type"]:
        case "missing":
            wrong = f"{key} is missing; {_example(key)}."
        case "extra_forbidden" | "invalid_key":
            wrong = f"there is no setting {key}; {_meant(key)}"
        case "value_error":
            wrong = f"{key} {str(detail['ctx']['error']).removesuffix('.')}."
        case "literal_error":
            wrong = f"{key} is {detail['input']!r}; write {detail['ctx']['expected']}."
        case "model_type":
            wrong = f"{key} is {detail['input']!r}; {_example(key)}."
        case _:
            wrong = f"{key} is {detail['input']!r}: {detail['msg'].lower()}; {_example(key)}."
    return where + wrong


def _example(key: str) -> str:
    """Return what a setting might be, or what a section might hold."""
    inner = [known.removeprefix(f"{key}.").partition(".")[0] for known in _KNOWN if known.startswith(f"{key}.")]
    if inner:
        return f"write beneath it: {', '.join(dict.fromkeys(inner))}"
    return f"write, for example, {_KNOWN[key].examples[0]}"


def _meant(key: str) -> str:
    """Return which setting was probably meant, or which there are."""
    section, _, name = key.rpartition(".")
    prefix = f"{section}." if section else ""
    here = sorted({known.removeprefix(prefix).split(".")[0] for known in _KNOWN if known.startswith(prefix)})
    elsewhere = [known for known in _KNOWN if known.rpartition(".")[2] == name]
    near = difflib.get_close_matches(name, here, n=1)
    if near or elsewhere:
        return f"did you mean {prefix + near[0] if near else elsewhere[0]}?"
    return f"the settings there are: {', '.join(prefix + name for name in here)}."


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting's dotted name and field."""
    for field in model.model_fields.values():
        name = f"{prefix}{field.alias}"
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if section is not None:
            yield from _leaves(section, f"{name}.")
        else:
            yield name, field


_KNOWN: Mapping[str, Any] = dict(_leaves(Settings))


def _lines(node: yaml.Node | None, prefix: str = "") -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Return the line of each key, and the keys that are there twice, of which YAML would quietly take the last."""
    lines: dict[str, int] = {}
    twice: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key, line = f"{prefix}{key_node.value}", key_node.start_mark.line + 1
            if key in lines:
                twice.append((key, line))
            inner_lines, inner_twice = _lines(value_node, f"{key}.")
            lines |= {key: line} | inner_lines
            twice += inner_twice
    return lines, twice
