"""The list of what is in the image above its base, from the lock, as CycloneDX 1.6: packages, versions and hashes."""

import json
import uuid
from typing import Any, Final

from packaging.requirements import Requirement

from tools.image.origin import CHECKOUT, iso, project

LOCK: Final = CHECKOUT / "requirements.lock"

_IMAGE: Final = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.13",
    "python_full_version": "3.13.0",
}
"""The image, as the markers of the lock ask about it."""


def sbom(lock: str, epoch: int) -> dict[str, Any]:
    """Return the list for a lock file's text. `epoch` is its time, in seconds since 1970."""
    described = project()
    whole = {
        **_component("application", described["name"], described["version"]),
        "licenses": [{"license": {"id": described["license"]}}],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{whole['purl']} {epoch} {lock}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {"timestamp": iso(epoch), "component": whole},
        "components": _packages(lock),
    }


def written(bom: dict[str, Any]) -> str:
    """Return the list as a file's text."""
    return json.dumps(bom, indent=2) + "\n"


def _packages(lock: str) -> list[dict[str, Any]]:
    parts = []
    for line in lock.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pinned, *hashes = line.split("--hash=sha256:")
        requirement = Requirement(pinned.strip())
        if requirement.marker is not None and not requirement.marker.evaluate(_IMAGE):
            continue
        (version,) = requirement.specifier
        # A hash for each of its files, of which the image holds the one for its architecture.
        files = [{"alg": "SHA-256", "content": content.strip()} for content in hashes]
        parts.append(_component("library", requirement.name, version.version) | {"hashes": files})
    return parts


def _component(kind: str, name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
