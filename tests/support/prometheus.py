"""A real Prometheus on loopback, which scrapes processes, evaluates rules and answers queries."""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tools.servers.build import binary
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports

EVERY: Final = "1s"
"""How often it scrapes and evaluates rules."""

Answer = Mapping[str, Any]


class Prometheus:
    """A server with its data in a folder. Like the chart's ServiceMonitor, it leaves the metrics' own labels alone."""

    def __init__(self, folder: Path, *, jobs: Mapping[str, int], rules: Sequence[Path]) -> None:
        """Write the configuration; start nothing. `jobs` are ports on loopback, by the name of the job."""
        self._folder = folder
        self._port = 0
        self._server: Server | None = None
        self._config = folder / "prometheus.yaml"
        scraped = [
            {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
            for job, port in jobs.items()
        ]
        self._config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
                    "scrape_configs": scraped,
                    "rule_files": [str(path) for path in rules],
                }
            )
        )

    def __enter__(self) -> Self:
        """Start, and return when it answers queries."""
        self._server = on_free_ports(self._launch)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        if self._server is not None:
            self._server.stop()
        give_back(self._port)

    def query(self, expression: str) -> list[float]:
        """Return the values that an expression has now, without those that are not numbers."""
        data = self._ask("query", query=expression)
        result = [data["result"]] if data["resultType"] == "scalar" else [each["value"] for each in data["result"]]
        return [number for _, text in result if not math.isnan(number := float(text))]

    def series(self, matching: str) -> list[Answer]:
        """Return the labels of all series that it has ever seen of these names."""
        found: list[Answer] = self._ask("series", **{"match[]": matching})
        return found

    def selectors(self, expression: str) -> Iterator[str]:
        """Return what an expression selects, as Prometheus itself reads it: metrics with their labels."""
        waiting: list[Any] = [self._ask("parse_query", query=expression)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, list):
                waiting += node
            elif isinstance(node, dict):
                if node.get("type") in ("vectorSelector", "matrixSelector"):
                    matchers = (m for m in node["matchers"] if m["name"] != "__name__")
                    labels = ",".join(f"{m['name']}{m['type']}{json.dumps(m['value'])}" for m in matchers)
                    yield f"{node['name']}{{{labels}}}"
                waiting += node.values()

    def rules(self) -> list[Answer]:
        """Return all rules with their health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def targets(self) -> dict[str, str]:
        """Return by job what was wrong with the last scrape; empty if nothing was."""
        return {target["labels"]["job"]: target["lastError"] for target in self._ask("targets")["activeTargets"]}

    def _ask(self, what: str, **parameters: str) -> Any:
        url = f"http://{LOOPBACK}:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode(errors='replace')}") from error

    def _launch(self) -> Server:
        self._port = free_port()
        command: list[str | Path] = [
            binary("prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
            "--log.level=warn",
        ]
        server = Server("prometheus", command, log=self._folder / "prometheus.log", environ=clean_environ())
        try:
            server.await_ready(lambda: answers(self._port, "/-/ready"))
        except BaseException:
            server.stop()
            give_back(self._port)
            raise
        return server
