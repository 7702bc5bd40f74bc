"""Kubeconfig files: who one is, and where the API server is."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.servers.pki import Identity, write_private

CLUSTER_NAME = "curfew"


def write_for_people(path: Path, *, server: str, ca: bytes, people: Mapping[str, Identity], current: str) -> Path:
    """Write a kubeconfig with a context per person, everything embedded."""
    users = {
        name: {
            "client-certificate-data": _base64(identity.certificate),
            "client-key-data": _base64(identity.key),
        }
        for name, identity in people.items()
    }
    return _write(path, server, ca, users, current)


def write_for_token(path: Path, *, server: str, ca: bytes, token: str | Path) -> Path:
    """Write a kubeconfig that shows a token, or a file that holds one and is read anew as it changes."""
    user = {"tokenFile": str(token)} if isinstance(token, Path) else {"token": token}
    return _write(path, server, ca, {"token": user}, "token")


def _write(path: Path, server: str, ca: bytes, users: Mapping[str, Mapping[str, str]], current: str) -> Path:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": CLUSTER_NAME, "cluster": {"server": server, "certificate-authority-data": _base64(ca)}}],
        "users": [{"name": name, "user": dict(user)} for name, user in users.items()],
        "contexts": [{"name": name, "context": {"cluster": CLUSTER_NAME, "user": name}} for name in users],
    }
    return write_private(path, yaml.safe_dump(config, sort_keys=False).encode())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
