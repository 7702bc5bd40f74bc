"""Rendering the chart, without a cluster."""

import os
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import yaml

from tests.integration.installed import BUCKET, CHART, SYSTEM
from tools.servers.build import binary
from tools.servers.cluster import run_command

STAMPING = "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


def template(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Render the chart with a bucket, unless told otherwise; what helm says to bad values is in the answer."""
    command = [str(binary("helm")), "template", "curfew", str(CHART), "--namespace", SYSTEM, *BUCKET, *arguments]
    return run_command(command, os.environ, stdin=None, check=False, timeout=60)


def rendered(*arguments: str) -> list[dict[str, Any]]:
    """Return the manifests of the chart. What needs no file of values is rendered once, and copied for whoever asks."""
    if "--values" in arguments:
        return anew(*arguments)
    return deepcopy(_kept(*arguments))


def anew(*arguments: str) -> list[dict[str, Any]]:
    """Return the manifests of the chart as it is rendered now, with keys of its own."""
    done = template(*arguments)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.load_all(done.stdout, yaml.CSafeLoader) if manifest]


_kept = cache(anew)


def one(manifests: list[dict[str, Any]], kind: str, name: str = "curfew") -> dict[str, Any]:
    """Return the one manifest of a kind and name."""
    (found,) = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def kinds(manifests: list[dict[str, Any]]) -> Mapping[str, int]:
    """Return how many there are of each kind."""
    counted: dict[str, int] = {}
    for manifest in manifests:
        counted[manifest["kind"]] = counted.get(manifest["kind"], 0) + 1
    return counted
