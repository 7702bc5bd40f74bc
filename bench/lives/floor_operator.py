"""The least that an operator must do: `python -m bench.lives.floor_operator KUBECONFIG NAMESPACE`.

It watches requests, creates a binding when one is approved, and deletes the binding at its end. It remembers nothing,
records nothing and tells nobody.
"""

import asyncio
import base64
import ssl
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.lives.client import ApiClient, session_with
from bench.lives.floor import ANNOTATION, GROUP
from curfew.adapters.clock import SystemClock

RBAC = "rbac.authorization.k8s.io"


class FloorOperator:
    """One namespace."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        """Do nothing yet."""
        self._client = client
        self._namespace = namespace
        self._bindings = f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings"
        self._clock = SystemClock()
        self._known: set[str] = set()

    async def run(self) -> None:
        """Watch until it is stopped. A call that fails ends it."""
        requests = f"/apis/{GROUP}/v1alpha1/namespaces/{self._namespace}/accessrequests"
        async with asyncio.TaskGroup() as lives:
            async for event, body in self._client.watch(requests):
                if event == "BOOKMARK":
                    print("watching", flush=True)
                elif body["status"].get("decisions") and body["metadata"]["uid"] not in self._known:
                    self._known.add(body["metadata"]["uid"])
                    lives.create_task(self._live(body["metadata"], body["spec"]))

    async def _live(self, meta: dict[str, Any], spec: dict[str, Any]) -> None:
        await self._until(spec.get("notBefore"))
        name = f"floor-{meta['uid']}"
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {
                "name": name,
                "labels": {f"{GROUP}/request-uid": meta["uid"]},
                "annotations": {ANNOTATION: meta["name"], f"{GROUP}/expires-at": spec["notAfter"]},
                "ownerReferences": [
                    {
                        "apiVersion": f"{GROUP}/v1alpha1",
                        "kind": "AccessRequest",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "payments-debug"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": spec["requester"]}],
        }
        await self._client.ask("POST", self._bindings, binding)
        await self._until(spec["notAfter"])
        await self._client.ask("DELETE", f"{self._bindings}/{name}")

    async def _until(self, instant: str | None) -> None:
        if instant is not None:
            await asyncio.sleep((datetime.fromisoformat(instant) - self._clock.now()).total_seconds())


async def _main(config: Any, namespace: str) -> None:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    async with session_with(tls, {"Authorization": f"Bearer {user['token']}"}) as session:
        await FloorOperator(ApiClient(cluster["server"], session), namespace).run()


if __name__ == "__main__":
    asyncio.run(_main(yaml.safe_load(Path(sys.argv[1]).read_text()), sys.argv[2]))
