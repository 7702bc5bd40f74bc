"""The monitor in a pod, and an API server that sends it audit events: set up as docs/activity.md says."""

import base64
import json
from pathlib import Path
from typing import Final

import yaml

from tests.pods.ground import NAMESPACE, Ground, is_ready, name_of, until
from tests.support.api import succeed
from tools.installation import SYSTEM
from tools.servers.audit import WEBHOOK
from tools.servers.pki import write_private

MONITOR: Final = "app.kubernetes.io/component=monitor"
ADDRESS: Final = "10.245.0.77"
HEARING_SECONDS: Final = 300.0
"""The monitor starts, the API server starts again, and several test calls in a row have to arrive."""

WHOLE: Final = "the feed of audit events is whole"


def let_the_monitor_hear(ground: Ground, *options: str) -> None:
    """Install the monitor, give the API server its address, and return when the monitor hears everything."""
    ground.install(
        *("--set", "monitor.enabled=true", "--set", f"monitor.webhook.clusterIP={ADDRESS}"),
        *(
            "--set",
            "monitor.config.coverage.every=5s",
            "--set",
            "monitor.credentialsSecret=curfew-bucket",
            "--set",
            f"monitor.deletePods={{{NAMESPACE}}}",
        ),
        *options,
    )
    ground.cluster.add_apiserver_args(
        [
            f"--audit-webhook-config-file={_write_webhook(ground, ground.environment.folder / 'audit')}",
            "--audit-webhook-batch-max-wait=200ms",
            "--audit-webhook-initial-backoff=500ms",
        ]
    )
    ground.cluster.restart_apiserver()
    # Test calls that it made before the API server knew of it would count as late for five minutes.
    ground.kubectl("delete", "pods", f"--selector={MONITOR}", f"--namespace={SYSTEM}")
    until(lambda: _coverage(ground) == WHOLE, "that the monitor hears everything", HEARING_SECONDS)


def _write_webhook(ground: Ground, folder: Path) -> Path:
    folder.mkdir()
    for secret, key, file in (
        ("curfew-monitor-tls", "ca.crt", "monitor-ca.crt"),
        ("curfew-monitor-token", "token", "monitor-token"),
    ):
        data = ground.get(f"/api/v1/namespaces/{SYSTEM}/secrets/{secret}")["data"]
        write_private(folder / file, base64.b64decode(data[key]))
    config = yaml.safe_load(WEBHOOK.read_bytes())
    config["clusters"][0]["cluster"]["server"] = f"https://{ADDRESS}/audit/control-plane-1"
    return write_private(folder / "webhook.yaml", yaml.safe_dump(config).encode())


def _coverage(ground: Ground) -> str:
    """Return what the monitor reports about its feed."""
    for pod in filter(is_ready, ground.pods(MONITOR)):
        path = f"/api/v1/namespaces/{SYSTEM}/pods/{name_of(pod)}:8080/proxy/readyz"
        return str(json.loads(succeed(ground.api.ask("GET", path)))["parts"].get("coverage"))
    return ""
