"""Records the events anew: `.venv/bin/python -m tests.recorded.audit_events.record`, in half a minute, on real servers."""

import base64
import json
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import yaml

from tests.recorded.audit_events import stage, steps
from tests.recorded.audit_events.people import AGENT, TOKENS, Caller, token_file
from tests.support.kubelet import Kubelet
from tools.servers.control_plane import ControlPlane
from tools.servers.ports import LOOPBACK

HERE: Final = Path(__file__).parent
LINES: Final = HERE / "log.jsonl"
BODY: Final = HERE / "webhook.json"
MOST_BODY: Final = 40_000


class Webhook(ThreadingHTTPServer):
    """What the API server sends its events to; it keeps the bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.bodies: list[bytes] = []
        super().__init__((LOOPBACK, 0), _Receiver)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        """Write where the API server finds it."""
        cluster = {"name": "here", "cluster": {"server": f"http://{LOOPBACK}:{self.server_address[1]}/audit"}}
        context = {"name": "here", "context": {"cluster": "here", "user": ""}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [cluster]}
        path.write_text(yaml.safe_dump({**config, "contexts": [context]}))
        return path


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Webhook)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def callers(plane: ControlPlane, folder: Path) -> Mapping[str, Caller]:
    """Return everybody, with the certificate or token of each."""
    port = int(plane.server.rpartition(":")[2])
    users = {user["name"]: user["user"] for user in yaml.safe_load(plane.kubeconfig.read_text())["users"]}
    found = {}
    for name in ("admin", "alice", "bob"):
        tls = ssl.create_default_context(cafile=str(plane.ca))
        for part in ("certificate", "key"):
            (folder / part).write_bytes(base64.b64decode(users[name][f"client-{part}-data"]))
        tls.load_cert_chain(folder / "certificate", folder / "key")
        found[name] = Caller(port, tls)
    unknown = ssl.create_default_context(cafile=str(plane.ca))
    return {**found, "unknown": Caller(port, unknown), **{token: Caller(port, unknown, token) for token in TOKENS}}


def record(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of the log and the bodies of the webhook that an API server writes."""
    (folder / "tokens.csv").write_text(token_file(), encoding="utf-8")
    webhook = Webhook()
    flags = [
        f"--audit-policy-file={HERE / 'policy.yaml'}",
        f"--audit-webhook-config-file={webhook.kubeconfig(folder / 'webhook.kubeconfig')}",
        "--audit-webhook-batch-max-wait=1s",
        f"--token-auth-file={folder / 'tokens.csv'}",
    ]
    with Kubelet(folder) as kubelet, ControlPlane(folder / "plane", apiserver_args=flags) as plane:
        people = callers(plane, folder)
        stage.set_up(people["admin"], kubelet.port)
        steps.play(people)
        _await_whole(plane.audit_log)
        lines = [line for line in plane.audit_log.read_bytes().splitlines(keepends=True) if _step(line)]
    webhook.shutdown()
    webhook.server_close()
    return lines, webhook.bodies


def _step(line: bytes) -> str | None:
    agent = str(json.loads(line).get("userAgent", ""))
    return agent.removeprefix(AGENT) if agent.startswith(AGENT) else None


def _await_whole(log: Path) -> None:
    """Return when each call that began has ended in the log."""
    until = time.monotonic() + 20
    while True:
        stages = Counter(json.loads(line)["stage"] for line in log.read_bytes().splitlines() if _step(line))
        if stages["RequestReceived"] == stages["ResponseComplete"]:
            return
        assert time.monotonic() < until, stages
        time.sleep(0.2)


def main() -> int:
    """Record and keep it."""
    with tempfile.TemporaryDirectory() as folder:
        lines, bodies = record(Path(folder))
    LINES.write_bytes(b"".join(lines))
    BODY.write_bytes(max((body for body in bodies if len(body) < MOST_BODY), key=len))
    print(f"Recorded {len(lines)} events and {len(bodies)} bodies.")  # noqa: T201  a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
