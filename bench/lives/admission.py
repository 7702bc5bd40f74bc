"""Takes what judges requests out of a cluster, and puts it back: admission policies, and the rules of the schema."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import orjson

from bench.lives.client import ApiClient
from bench.lives.contender import Contender, Order
from bench.lives.floor import without_rules
from curfew.adapters.clock import SystemClock
from curfew.api.names import GROUP

DEFINITION: Final = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/accessrequests.{GROUP}"
BINDINGS: Final = tuple(
    f"/apis/admissionregistration.k8s.io/v1/{kind}"
    for kind in ("validatingadmissionpolicybindings", "mutatingadmissionpolicybindings")
)
"""Without its binding, a policy judges nothing."""

REFUSED: Final = (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
PAUSE: Final = 0.1

Manifest = dict[str, Any]


class Admission:
    """What judges requests in a cluster."""

    def __init__(self, admin: ApiClient, contender: Contender) -> None:
        """Leave it as it is."""
        self._admin = admin
        self._contender = contender
        self._bindings: list[tuple[str, Manifest]] = []
        self._spec: Manifest | None = None

    def manifest(self, order: Order) -> Manifest:
        """Return a request that names who makes it, since without policies nobody fills that in."""
        manifest = dict(self._contender.manifest(order))
        manifest["spec"] = {**manifest["spec"], "submittedBy": order.person}
        return manifest

    async def drop_policies(self) -> None:
        """Return when no policy judges requests."""
        for path in BINDINGS:
            listed = orjson.loads(await self._admin.ask("GET", path, ignore=[HTTPStatus.NOT_FOUND]))
            for item in listed.get("items", ()):
                meta = {name: item["metadata"][name] for name in ("name", "labels", "annotations")}
                kept = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
                self._bindings.append((path, {**kept, "metadata": meta, "spec": item["spec"]}))
                await self._admin.ask("DELETE", f"{path}/{meta['name']}")
        await self._until(_marked, is_taken=True)

    async def drop_rules(self, *, status_at_once: bool = False) -> None:
        """Return when the schema has no rules. `status_at_once`: and a request is created with its status."""
        definition = orjson.loads(await self._admin.ask("GET", DEFINITION))
        self._spec = definition["spec"]
        bare: Manifest = without_rules(definition["spec"])
        if status_at_once:
            for version in bare["versions"]:
                del version["subresources"]
        await self._admin.ask("PUT", DEFINITION, definition | {"spec": bare})
        await self._until(_too_short, is_taken=True)

    async def restore(self) -> None:
        """Return when what was taken away judges requests again."""
        if self._spec is not None:
            definition = orjson.loads(await self._admin.ask("GET", DEFINITION))
            await self._admin.ask("PUT", DEFINITION, definition | {"spec": self._spec})
            await self._until(_too_short, is_taken=False)
        for path, binding in self._bindings:
            await self._admin.ask("POST", path, binding)
        await self._until(_marked, is_taken=False)

    async def _until(self, spoil: Callable[[Manifest], object], *, is_taken: bool) -> None:
        end = SystemClock().now() + timedelta(minutes=10)
        person = self._contender.person.format(0)
        while True:
            manifest = self.manifest(Order("spoilt", 0, person, end))
            spoil(manifest)
            path = f"{self._contender.requests}?dryRun=All"
            answer = orjson.loads(await self._admin.ask("POST", path, manifest, person=person, ignore=REFUSED))
            if (answer["kind"] != "Status") == is_taken:
                return
            await asyncio.sleep(PAUSE)


def _marked(manifest: Manifest) -> None:
    """Do what only policies refuse."""
    manifest["metadata"]["annotations"] = {f"{GROUP}/written": "by somebody"}


def _too_short(manifest: Manifest) -> None:
    """Do what the rules of the schema refuse."""
    manifest["spec"]["duration"] = "1s"
