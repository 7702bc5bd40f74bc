"""Common parts of all settings: their base, and checks of single values that name a right value."""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo
from pydantic.alias_generators import to_camel

from curfew.api.times import format_duration

_STORES: Final = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER"
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DAYS: Final = re.compile(r"[1-9][0-9]{0,3}d")


class Section(BaseModel):
    """The base of all sections: an unknown setting is an error and is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


def store_url(url: str) -> str:
    """Return the address of a store, or raise ValueError."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError(f"must not hold credentials; they come from the environment. Write {_STORES}")
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return url
    if parts.scheme in {"s3", "gs", "az"} and parts.netloc:
        return url
    raise ValueError(f"is {url!r}, which is not the address of a store; write {_STORES}")


def place(url: str) -> str:
    """Return the bucket in an address, or its folder."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc or parts.path.rstrip('/')}"


def dns_label(name: str) -> str:
    """Return a name that is valid in a path and as a DNS label, or raise ValueError."""
    if not _LABEL.fullmatch(name):
        raise ValueError(f"is {name!r}; write up to 63 small letters, digits and dashes, such as main")
    return name


def existing_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path, or raise ValueError. A relative path starts at the settings' own folder."""
    if path is None:
        return None
    path = Path((info.context or {}).get("folder", "")) / path
    if not path.is_file():
        raise ValueError(f"names {path}, which does not exist")
    return path


def existing_folder(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a folder, or raise ValueError. A relative path starts at the settings' own folder."""
    if path is None:
        return None
    path = Path((info.context or {}).get("folder", "")) / path
    if not path.is_dir():
        raise ValueError(f"names {path}, which is not a folder")
    return path


def private_key_file(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a private key, or raise ValueError, which explains how to make one."""
    try:
        return existing_file(path, info)
    except ValueError as error:
        made = str(error).removeprefix("names ").removesuffix(", which does not exist")
        raise ValueError(f"{error}; make it with: openssl genpkey -algorithm ed25519 -out {made}") from None


def instead_of(other: str, missing: str | None) -> AfterValidator:
    """Return a check that this field and the other, which comes before it, are not both set, and not both missing.

    `missing` is the example to show if both are missing; None if neither is needed.
    """

    def check(value: object, info: ValidationInfo) -> object:
        known, alias = other in info.data, to_camel(other)
        if value and info.data.get(other):
            raise ValueError(f"is set, and so is {alias}; keep one of them")
        if missing is not None and not value and known and not info.data[other]:
            raise ValueError(f"is missing; write, for example, {missing}, or write {alias} instead")
        return value

    return AfterValidator(check)


def signer_uri(uri: str) -> str:
    """Return the URI of a signer, or raise ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9]*:\S+", uri):
        raise ValueError(f"is {uri!r}; write the address of the key's holder, such as hv:curfew/1")
    return uri


def collector_url(url: str | None) -> str | None:
    """Return the address of a collector, or raise ValueError, which does not quote anything that may be a secret."""
    if url is None:
        return None
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query:
        raise ValueError("must not hold credentials or a query; put credentials into headersFile")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not the address of an HTTP collector; write https://HOST/PATH")
    return url


def sent_in_secret(path: Path | None, info: ValidationInfo) -> Path | None:
    """Return the path of a file with credentials, or raise ValueError if they would be sent unencrypted."""
    parts = urlsplit(info.data.get("url") or "")
    if path is not None and parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("is set, but url begins with http://; credentials are sent only to https://")
    return path


def between(least: timedelta, most: timedelta) -> AfterValidator:
    """Return a check that a duration is within bounds, both included."""

    def check(duration: timedelta) -> timedelta:
        if least <= duration <= most:
            return duration
        said, low, high = (format_duration(each) for each in (duration, least, most))
        raise ValueError(f"is {said}; write a duration from {low} to {high}")

    return AfterValidator(check)


def to_days(value: object) -> object:
    """Return a number of whole days, written as 400d, as a duration, or raise ValueError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DAYS.fullmatch(value):
        raise ValueError(f"is {value!r}; write whole days from 1d to 9999d, such as 400d")
    return timedelta(days=int(value.removesuffix("d")))


def no_time(value: object) -> object:
    """Read the number 0, which YAML does not load as text, as a duration."""
    return "0" if value == 0 and isinstance(value, int) and not isinstance(value, bool) else value


def section(value: object) -> object:
    """Read an empty section as a missing one."""
    return {} if value is None else value


def absolute(path: Path | None) -> Path | None:
    """Return a path that begins at the root, or raise ValueError. The file need not exist yet."""
    if path is not None and not path.is_absolute():
        raise ValueError(f"is {str(path)!r}; write the whole path, such as /var/log/kubernetes/audit.log")
    return path


def one_of(kind: type[StrEnum]) -> Callable[[object], object]:
    """Return a check that a value is one of a kind's values."""

    def check(value: object) -> object:
        if value in tuple(kind):
            return value
        *first, last = (repr(str(one)) for one in kind)
        raise ValueError(f"is {value!r}; write {', '.join(first)} or {last}")

    return check
