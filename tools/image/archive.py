"""What an OCI archive says about the image in it."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Built:
    """An image."""

    digest: str
    above_base: int
    """Size of what is not in the base, compressed, in bytes: the last layer, as the Dockerfile adds one."""


def read_archive(path: Path) -> Built:
    """Return what the archive holds."""
    with tarfile.open(path) as archive:

        def read(name: str) -> Any:
            member = archive.extractfile(name)
            if member is None:
                raise ValueError(f"{path}: {name} is no file")
            return json.load(member)

        (described,) = read("index.json")["manifests"]
        digest = described["digest"]
        manifest = read(f"blobs/{digest.replace(':', '/')}")
    return Built(digest, manifest["layers"][-1]["size"])
