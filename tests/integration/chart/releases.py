"""A release on a cluster of its own, changed by one Helm or another, and operators that run as its pods would."""

import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.installed import CHART, SYSTEM, Done, Installed
from tests.support.api import until
from tests.support.operator_process import OperatorProcess
from tools.servers.build import binary
from tools.servers.cluster import run_command
from tools.servers.ports import LOOPBACK

PREVIOUS: Final = Path(__file__).parent / "previous"
"""The chart and the operator of the version before, packed; its README has the commands."""

OURS: Final = "app.kubernetes.io/name=curfew"
KINDS: Final = (
    *("configmaps", "secrets", "serviceaccounts", "services", "deployments", "cronjobs"),
    *("leases", "poddisruptionbudgets", "priorityclasses", "flowschemas", "prioritylevelconfigurations"),
    *("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    *("mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
)
"""Everything that a chart of ours makes, but the definitions."""

READY_SECONDS: Final = 60.0

Objects = dict[str, dict[str, Any]]


class Release:
    """Curfew, as one Helm installs and changes it."""

    def __init__(self, cluster: Installed, helm: str, folder: Path) -> None:
        """Install nothing yet."""
        self.cluster = cluster
        self.folder = folder
        self._helm = binary(helm)
        self.folder = folder
        self._previous = ""

    def helm(self, *arguments: str, check: bool = True) -> Done:
        """Run this Helm as the admin; fail with its words if it fails, unless told otherwise."""
        environ = {**os.environ, **self.cluster.environment.cluster.environ()}
        command = [str(self._helm), *arguments, "--namespace", SYSTEM]
        return run_command(command, environ, stdin=None, check=check, timeout=600)

    def install_previous(self, store: str) -> None:
        """Install the version before with the trail in a store, for all namespaces with the label."""
        with tarfile.open(PREVIOUS / "operator.tar.xz") as packed:
            packed.extractall(self.folder, filter="data")
        self._previous = str(self.folder / "operator")
        values = f"config.audit.url={store},config.audit.retention=1d,roles={{view}},optIn.enabled=true"
        self.helm("install", "curfew", str(PREVIOUS / "chart.tgz"), "--create-namespace", "--set", values)
        definitions = [f"crd/{kind}.curfew.dev" for kind in ("accessrequests", "accesspolicies", "accesslocks")]
        self.cluster.kubectl("wait", "--for=jsonpath={.status.conditions}", *definitions)
        self.cluster.kubectl("wait", "--for=condition=Established", *definitions)
        requests = "/apis/curfew.dev/v1alpha1/accessrequests"
        until(lambda: self.cluster.api.ask("GET", requests).returncode == 0, "that requests can be listed")

    def upgrade(self) -> None:
        """Upgrade to the chart of today, as the documentation says."""
        self.helm("upgrade", "curfew", str(CHART), "--reset-then-reuse-values")

    def objects(self) -> Objects:
        """Return what there is of the release now, without what the API server and controllers write into it."""
        asked = ("get", ",".join(KINDS), "--all-namespaces", f"--selector={OURS}", "--output=json")
        items = json.loads(self.cluster.kubectl(*asked).stdout)["items"]
        definitions = json.loads(self.cluster.kubectl("get", "crds", "--output=json").stdout)["items"]
        items += [each for each in definitions if each["spec"]["group"] == "curfew.dev"]
        return {f"{each['kind']} {each['metadata']['name']}": _as_written(each) for each in items}

    def way_of_writing(self) -> set[str]:
        """Return how this Helm has written the Deployment: by Update or by Apply."""
        asked = ("get", "deployment", "curfew", "--namespace", SYSTEM, "--show-managed-fields", "--output=json")
        fields = json.loads(self.cluster.kubectl(*asked).stdout)["metadata"]["managedFields"]
        return {each["operation"] for each in fields if each["manager"].startswith("helm")}

    @contextmanager
    def operators(self, *pods: str, previous: bool = False) -> Iterator[Sequence[OperatorProcess]]:
        """Run an operator for each pod, with the settings, the key and the rights that it would have; end them well."""
        code = {"PYTHONPATH": self._previous} if previous else {}
        running = [self._operator(pod, code) for pod in pods]
        try:
            for operator in running:
                operator.start()
            for operator in running:
                operator.await_ready(READY_SECONDS)
            yield running
        except BaseException:
            for operator in running:
                operator.kill()
            raise
        for operator in running:
            operator.stop()

    def _operator(self, pod: str, code: Mapping[str, str]) -> OperatorProcess:
        folder = self.folder / pod
        folder.mkdir(parents=True, exist_ok=True)
        settings = self.cluster.settings()
        key = self.cluster.signing_key(folder / "signing.pem").read_text()
        operator = OperatorProcess(
            folder,
            kubeconfig=self.cluster.operator_kubeconfig(folder / "kubeconfig"),
            signing_key=key,
            store=settings["audit"]["url"],
            environ={**self.cluster.environment.s3.env(), "POD_NAME": pod, **code},
        )
        settings["audit"]["keyFile"] = "key.pem"
        settings["server"] = {"host": LOOPBACK, "port": operator.port}
        operator.config.write_text(yaml.safe_dump(settings))
        return operator


def _as_written(found: dict[str, Any]) -> dict[str, Any]:
    """Return what somebody wrote of an object: labels and all that is not metadata or status."""
    written = {key: value for key, value in found.items() if key not in ("metadata", "status")}
    if found["metadata"]["name"] == "curfew-checkpoint":
        written.pop("data", None)  # the operator's
    return {**written, "labels": found["metadata"].get("labels")}
