"""The monitor as a process of its own, as in a pod: started, killed, asked to stop, looked at from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.operator_process import OperatorProcess
from tools.servers.audit import SOURCE, AuditFeed
from tools.servers.ports import LOOPBACK


class MonitorProcess(OperatorProcess):
    """One monitor after another, which take what an API server sends and follow what an operator writes."""

    command = "monitor"

    def __init__(
        self,
        folder: Path,
        *,
        kubeconfig: Path,
        signing_key: str,
        operator: OperatorProcess,
        feed: AuditFeed,
        environ: Mapping[str, str] | None = None,
        every: str = "5s",
        port: int = 0,
        follows: Path | None = None,
        mappings: Sequence[Path] = (),
        routes: Path | None = None,
        more: Mapping[str, dict[str, object]] | None = None,
    ) -> None:
        """Write the settings; start nothing yet. `every` is how often test calls are made.

        It listens at `port`, which is that of the feed unless something is between the two. Or it `follows` a file, from
        the file's beginning. It reads the lines of other systems by `mappings`, and tells people by `routes`. `more` are
        further sections of the settings.
        """
        super().__init__(
            folder,
            kubeconfig=kubeconfig,
            signing_key=signing_key,
            store=operator.store,
            environ=environ,
            log=f"{operator.log_id}-activity",
        )
        del self._settings["finished"], self._settings["enforcement"]
        self._settings |= {
            "trail": {"url": operator.store, "log": operator.log_id},
            "intake": {
                **(self._following(follows) if follows is not None else _listening(feed, port or feed.port)),
                "mappings": [str(path) for path in mappings],
            },
            "coverage": {"every": every},
            "notifications": {"routes": str(routes)} if routes is not None else {},
            **(more or {}),
        }
        self.configure()

    def await_covered(self, seconds: float = 120.0) -> None:
        """Return when the feed of audit events is known to be whole."""
        self.await_answer(
            lambda _, said: said["parts"]["coverage"] == "the feed of audit events is whole", "cover the feed", seconds
        )

    def _following(self, path: Path) -> dict[str, object]:
        position = str(self.folder / "position.json")
        return {"files": [{"path": str(path), "source": SOURCE, "position": position, "begin": "Beginning"}]}


def _listening(feed: AuditFeed, port: int) -> dict[str, object]:
    return {
        "webhook": {
            "host": LOOPBACK,
            "port": port,
            "certFile": str(feed.certificate),
            "keyFile": str(feed.key),
            "tokenFile": str(feed.token),
            "linesTokenFile": str(feed.lines_token),
        }
    }
