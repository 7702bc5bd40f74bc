"""What `/readyz` and the metrics of a whole monitor show of its tasks."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from curfew.adapters.kube import KubeMonitor
from curfew.adapters.telemetry import MonitorTelemetry
from curfew.processes.monitor.app import Monitor
from curfew.processes.monitor.responses import Responses
from curfew.processes.monitor.wiring import wire
from curfew.settings.monitor import load_monitor_settings
from tests.support.kube import ApiServer, kubeconfig, running
from tools.servers.ports import free_port


class Defective:
    """A part with a task that a defect ends."""

    def __init__(self) -> None:
        self.has_failed = asyncio.Event()

    async def run(self) -> None:
        self.has_failed.set()
        raise KeyError("detail")


async def shown(port: int) -> tuple[Mapping[str, Any], str]:
    """Return the parts of `/readyz`, and the metrics."""
    url = f"http://127.0.0.1:{port}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/readyz") as ready,
        session.get(f"{url}/metrics") as metrics,
    ):
        return json.loads(await ready.text())["parts"], await metrics.text()


async def test_a_defect_that_ends_a_task_shows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, nothing showed that people's answers to alerts were no longer taken."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    port, broken = free_port(), Defective()
    key = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    (tmp_path / "signing.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "settings.yaml").write_text(f"""\
server: {{host: 127.0.0.1, port: {port}}}
trail: {{url: "file://{tmp_path}/trail"}}
audit: {{url: "file://{tmp_path}/activity", keyFile: signing.pem, worm: advisory}}
intake: {{files: [{{path: "{tmp_path}/audit.log", source: one}}]}}
""")
    telemetry = MonitorTelemetry()
    async with (
        running(ApiServer()) as api,
        KubeMonitor.connect(kubeconfig(tmp_path / "kubeconfig", api.url), "curfew-system") as cluster,
    ):
        parts = wire(load_monitor_settings(tmp_path / "settings.yaml"), cluster, telemetry)
        running_monitor = asyncio.create_task(Monitor(replace(parts, responses=cast("Responses", broken))).run())
        async with asyncio.timeout(60):
            await broken.has_failed.wait()
            state, metrics = await shown(port)
            os.kill(os.getpid(), signal.SIGTERM)
            await running_monitor

    assert state["responses"] == "A defect has ended it (KeyError); it begins again soon."
    assert state["bindings"] != state["responses"]
    assert 'curfew_task_failures_total{task="responses"} 1.0' in metrics
    assert 'curfew_task_failures_total{task="bindings"} 0.0' in metrics
