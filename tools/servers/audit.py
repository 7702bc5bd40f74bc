"""Audit events: what the API server writes down, and how it sends that to a monitor."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from tools.servers.pki import Authority, write_private
from tools.servers.ports import LOOPBACK, free_port, give_back

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "audit"
POLICY: Final = EXAMPLES / "policy.yaml"
WEBHOOK: Final = EXAMPLES / "webhook.yaml"
"""What docs/activity.md gives to people: the API server here is started with the same files."""

MONITOR_HOST: Final = "curfew-monitor.curfew-system.svc"
SOURCE: Final = "control-plane-1"


class AuditFeed:
    """A loopback port for a monitor, the keys with which it listens there, and the API server's way to it.

    The API server starts also if nobody listens yet. It tries each batch five times and then drops it.
    """

    def __init__(self, folder: Path, *, batch_wait: str = "200ms", initial_backoff: str = "500ms") -> None:
        """Write the files. Kubernetes' own times are 30 s and 10 s; tests have no time for that."""
        self.port: int = free_port()
        self._times = (batch_wait, initial_backoff)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = Authority("curfew monitor")
        identity = authority.server(MONITOR_HOST, [MONITOR_HOST, LOOPBACK])
        self.ca = write_private(folder / "monitor-ca.crt", authority.certificate)
        self.certificate = write_private(folder / "monitor.crt", identity.certificate)
        self.key = write_private(folder / "monitor.key", identity.key)
        # A client certificate proves who calls as well as the token does.
        caller = authority.client("apiserver")
        self.client_certificate = write_private(folder / "client.crt", caller.certificate)
        self.client_key = write_private(folder / "client.key", caller.key)
        self.token = write_private(folder / "monitor-token", secrets.token_hex(32).encode())
        # Who sends lines of another system shows this one, which opens nothing else.
        self.lines_token = write_private(folder / "lines-token", secrets.token_hex(32).encode())
        self.webhook = folder / "webhook.yaml"
        config = yaml.safe_load(WEBHOOK.read_bytes())
        config["clusters"][0]["cluster"]["server"] = f"{self.url}/audit/{SOURCE}"
        write_private(self.webhook, yaml.safe_dump(config).encode())

    @property
    def url(self) -> str:
        """Return where the monitor listens, without a path."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def apiserver_args(self) -> Sequence[str]:
        """Return the flags that make an API server send its audit events to the monitor."""
        batch_wait, initial_backoff = self._times
        return (
            f"--audit-webhook-config-file={self.webhook}",
            f"--audit-webhook-batch-max-wait={batch_wait}",
            f"--audit-webhook-initial-backoff={initial_backoff}",
        )

    def close(self) -> None:
        """Let the port be given out again."""
        give_back(self.port)
