"""The probe as the operator runs it, on the real API server, with the chart's rights and no more."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.core.facts import EnforcementState
from curfew.processes.operator.enforcement import Enforcement
from tests.integration.installed import SYSTEM, Installed
from tests.support.api import MERGE, succeed

PROBE = f"system:serviceaccount:{SYSTEM}:curfew-probe"
ADMISSION = "admissionregistration.k8s.io/v1"
POLICY = "ValidatingAdmissionPolicy"
BINDING = "ValidatingAdmissionPolicyBinding"
PAUSE_SECONDS = 0.3  # each look is a dozen attempts
SECONDS = 30.0  # the API server learns of a change to its policies a moment later, on a busy machine many moments


@dataclass
class Probing:
    """What runs in the operator, and what it told."""

    enforcement: Enforcement
    states: list[EnforcementState] = field(default_factory=list)
    policies: dict[str, bool] = field(default_factory=dict)

    async def until(self, answer: Callable[[EnforcementState], bool]) -> EnforcementState:
        """Probe until the answer is as wanted, and return it."""
        async with asyncio.timeout(SECONDS):
            while not answer(state := await self.enforcement.probe()):  # noqa: ASYNC110  it is the API server that learns
                await asyncio.sleep(PAUSE_SECONDS)
        return state

    async def until_enforced(self) -> EnforcementState:
        """Probe until all is in force."""
        return await self.until(lambda state: state.ok)

    async def until_missing(self, *policies: str) -> EnforcementState:
        """Probe until these are not in force, and all others are."""
        return await self.until(lambda _: self.missing() == set(policies))

    def missing(self) -> set[str]:
        """Return the policies that were last found not to be in force."""
        return {policy for policy, ok in self.policies.items() if not ok}


@pytest.fixture(scope="module")
def kubeconfig(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a kubeconfig with the operator's rights."""
    return cluster.operator_kubeconfig(tmp_path_factory.mktemp("operator") / "kubeconfig")


@pytest.fixture
async def probing(kubeconfig: Path) -> AsyncIterator[Probing]:
    """Return the probe, of which nothing is known yet."""
    async with KubeCluster.connect(kubeconfig) as api:
        states: list[EnforcementState] = []
        policies: dict[str, bool] = {}
        enforcement = Enforcement(
            api.prober(SYSTEM, "curfew-probe"),
            SystemClock(),
            namespace=SYSTEM,
            account="curfew-probe",
            every=timedelta(seconds=30),
            changed=states.append,
            told=policies.__setitem__,
        )
        yield Probing(enforcement, states, policies)


class Vandal:
    """An admin who takes policies out of force, and repents."""

    def __init__(self, cluster: Installed) -> None:
        """Do nothing yet."""
        self._api = cluster.api
        self._saved: list[dict[str, Any]] = []

    def take(self, kind: str, name: str) -> None:
        """Delete an object."""
        succeed(self._api.ask("DELETE", self._saved_path(kind, name)))

    def only_warn(self, name: str) -> None:
        """Have a policy warn and refuse nothing."""
        warns = {"spec": {"validationActions": ["Warn"]}}
        succeed(self._api.ask("PATCH", self._saved_path(BINDING, name), warns, content_type=MERGE))

    def restore(self) -> None:
        """Put everything back as helm had it, so that helm finds its own work again."""
        for saved in self._saved:
            gone = self._api.ask("DELETE", self._api.path_of(saved))
            assert gone.returncode == 0 or "not found" in gone.stderr, gone.stderr
            self._api.apply(saved, manager="helm")
        self._saved.clear()

    def _saved_path(self, kind: str, name: str) -> str:
        """Return where an object is, of which a copy is kept."""
        path = self._api.path_of({"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": name}})
        saved = json.loads(succeed(self._api.ask("GET", path)))
        meta = saved["metadata"]
        kept = {key: meta[key] for key in ("name", "labels", "annotations") if key in meta}
        self._saved.append({**{key: saved[key] for key in ("apiVersion", "kind", "spec")}, "metadata": kept})
        return path


@pytest.fixture
async def vandal(cluster: Installed, probing: Probing) -> AsyncIterator[Vandal]:
    """Return somebody whose deeds are undone, so that the next test finds all policies in force again."""
    someone = Vandal(cluster)
    yield someone
    someone.restore()
    await probing.until_enforced()
