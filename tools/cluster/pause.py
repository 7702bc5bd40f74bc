"""The image whose one process holds a pod's namespaces, built here: no registry is asked."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from tools.servers.binaries import go_version
from tools.servers.errors import ServersError
from tools.servers.folders import MODULES
from tools.servers.toolchain import find_go, go_platform, last_lines

PAUSE: Final = "localhost/curfew-pause:1"
SOURCE: Final = MODULES / "pause"


def write_pause_image(archive: Path) -> None:
    """Compile the program and write an OCI archive with nothing else in it."""
    layer = _tar({"pause": _compiled()}, mode=0o755)
    system, architecture = go_platform().split("/")
    config = {
        "os": system,
        "architecture": architecture,
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs: dict[str, bytes] = {}

    def blob(kind: str, content: bytes) -> dict[str, Any]:
        digest = _digest(content)
        blobs[f"blobs/{digest.replace(':', '/')}"] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", json.dumps(config).encode()),
        "layers": [blob("layer.v1.tar", layer)],
    }
    described = blob("manifest.v1+json", json.dumps(manifest).encode())
    # By this name containerd keeps it.
    described["annotations"] = {"io.containerd.image.name": PAUSE}
    index = {"schemaVersion": 2, "manifests": [described]}
    written = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}
    archive.write_bytes(_tar(written, mode=0o644))


def _compiled() -> bytes:
    go = find_go(go_version((SOURCE / "go.mod").read_text()))
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pause"
        done = subprocess.run(
            [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "."],
            cwd=SOURCE,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServersError(
                f"The program of the pause image could not be built. Go said:\n{last_lines(done.stderr)}"
            )
        return program.read_bytes()


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
