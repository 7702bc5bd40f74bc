"""From what an image is made: the version, the commit, the base. The image's labels say it."""

import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools.image.errors import ImageError

CHECKOUT: Final = Path(__file__).parents[2]


def project() -> dict[str, Any]:
    """Return the package's own description."""
    described: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return described


def public_base() -> str:
    """Return the base that the Dockerfile takes if none is given."""
    found = re.search(r"^ARG BASE=(\S+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise ImageError("The Dockerfile has no line ARG BASE=...")
    return found[1]


def source_date(environ: Mapping[str, str] = os.environ) -> int:
    """Return the time of everything in the image, in seconds since 1970: SOURCE_DATE_EPOCH, or the last commit's."""
    named = environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct")
    if not named.isdecimal():
        raise ImageError(
            "This is no git checkout, so set SOURCE_DATE_EPOCH: the time of the image, in seconds since 1970."
        )
    return int(named)


def iso(epoch: int) -> str:
    """Return an instant as RFC 3339 writes it."""
    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")


def labels(base: str, epoch: int) -> dict[str, str]:
    """Return the labels of an image, under the names of the OCI specification."""
    described = project()
    said = {
        "title": described["name"],
        "description": described["description"],
        "version": described["version"],
        "licenses": described["license"],
        "created": iso(epoch),
        "base.name": base,
    }
    if commit := _git("rev-parse", "HEAD"):
        said["revision"] = commit + ("-changed" if _git("status", "--porcelain") else "")
    return {f"org.opencontainers.image.{name}": value for name, value in said.items()}


def _git(*arguments: str) -> str:
    """Return what git answers; nothing where there is no git or no checkout."""
    try:
        asked = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return asked.stdout.strip()
