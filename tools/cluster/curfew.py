"""Curfew installed in a cluster with pods, by its chart, and the example that people can type along with."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from tools.installation import CHART, CHECKOUT, SYSTEM
from tools.servers.cluster import Cluster
from tools.servers.pki import ADMIN

EXAMPLES: Final = CHECKOUT / "examples"
NAMESPACE: Final = "payments"
BUCKET: Final = "curfew-trail"
CREDENTIALS: Final = "curfew-bucket"
RESTRICTED: Final = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
HELM_SECONDS: Final = 300.0


def install(cluster: Cluster, image: str, bucket: Mapping[str, str], *options: str) -> None:
    """Install or upgrade Curfew with two replicas; return when its pods are Ready.

    `bucket` are the variables by which pods find the S3 server, which has a bucket of our name.
    """
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CREDENTIALS, "namespace": SYSTEM},
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in bucket.items()},
    }
    _apply(cluster, _namespace(NAMESPACE), _namespace(SYSTEM, RESTRICTED), secret)
    repository, _, tag = image.rpartition(":")
    cluster.helm(
        *("upgrade", "--install", "curfew", str(CHART), "--namespace", SYSTEM),
        *("--values", str(EXAMPLES / "values.yaml"), "--set", f"audit.credentialsSecret={CREDENTIALS}"),
        *("--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}"),
        *("--wait", f"--timeout={HELM_SECONDS:.0f}s", *options),
        timeout=HELM_SECONDS + 60,
    )


def offer(cluster: Cluster) -> None:
    """Offer the role of the example, to be asked for by alice and approved by bob or carol."""
    cluster.kubectl("apply", f"--filename={EXAMPLES}/role.yaml", f"--filename={EXAMPLES}/policy.yaml", user=ADMIN)


def _namespace(name: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def _apply(cluster: Cluster, *manifests: Mapping[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    cluster.kubectl("apply", "--filename=-", user=ADMIN, stdin=json.dumps(items))
