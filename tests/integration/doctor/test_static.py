"""Admission policies in a folder of the API server: no administrator takes them away, and Curfew says that they are there."""

import json
import os
import sys
from asyncio import to_thread
from datetime import timedelta
from pathlib import Path

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.core.probes import attempts
from curfew.processes.operator.enforcement import Enforcement
from tests.integration.enforcement.conftest import Probing
from tests.integration.installed import SYSTEM, Installed
from tools.servers.cluster import run_command

CONFIGURATION = """\
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionPolicy
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ValidatingAdmissionPolicyConfiguration
    staticManifestsDir: {folder}
"""
ADMISSION = "validatingadmissionpolicies,validatingadmissionpolicybindings"


@pytest.fixture(scope="module")
def guarded(own: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return the cluster, whose policies are now files as well, and whose API has lost its own."""
    folder, plane = tmp_path_factory.mktemp("admission"), own.environment.control_plane
    environ = {**os.environ, **plane.environ()}
    command = [sys.executable, "-m", "curfew", "policies", "--static"]
    written = run_command(command, environ, stdin=None, check=True, timeout=120).stdout
    (folder / "policies").mkdir()
    (folder / "policies" / "curfew.yaml").write_text(written)
    (folder / "admission.yaml").write_text(CONFIGURATION.format(folder=folder / "policies"))
    plane.add_apiserver_args([f"--admission-control-config-file={folder / 'admission.yaml'}"])
    plane.restart_apiserver()
    own.kubectl("delete", ADMISSION, "--all")
    return own


async def test_what_nobody_can_take_away_is_in_force(guarded: Installed, tmp_path: Path) -> None:
    """Each policy that can be tried refuses from its file, although the API has none."""
    kubeconfig = await to_thread(guarded.operator_kubeconfig, tmp_path / "kubeconfig")
    async with KubeCluster.connect(kubeconfig) as api:
        policies: dict[str, bool] = {}
        enforcement = Enforcement(
            api.prober(SYSTEM, "curfew-probe"),
            SystemClock(),
            namespace=SYSTEM,
            account="curfew-probe",
            every=timedelta(seconds=30),
            changed=lambda _: None,
            told=policies.__setitem__,
        )
        state = await Probing(enforcement, [], policies).until_enforced()

    assert state.message.endswith("from static manifests: nobody can take them away through the API.")
    assert policies == dict.fromkeys((attempt.policy for attempt in attempts(SYSTEM, "curfew-probe")), True)


def test_an_administrator_finds_nothing_to_delete_and_can_make_nothing_in_its_place(guarded: Installed) -> None:
    name = "curfew-managed-bindings.static.k8s.io"
    deleted = guarded.kubectl("delete", "validatingadmissionpolicy", name, check=False)
    own = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {"validations": [{"expression": "true"}]},
    }
    made = guarded.kubectl("create", "--filename=-", stdin=json.dumps(own), check=False)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "forged", "namespace": "default", "labels": {"curfew.dev/request-uid": "x"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }
    forged = guarded.kubectl("create", "--filename=-", stdin=json.dumps(binding), check=False)

    assert "not found" in deleted.stderr
    assert ".static.k8s.io" in made.stderr
    assert made.returncode != 0
    assert f"ValidatingAdmissionPolicy '{name}'" in forged.stderr
