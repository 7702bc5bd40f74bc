"""What every `Cluster` must do, as tests: inherit, and give it a `bench` fixture."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.api import names
from curfew.api.times import format_time, parse_time
from curfew.ports import AlreadyExists, ClosedRequest, ClosedRequests, Cluster, Conflict, Invalid, Json, NotFound

PERSON = "admin"
"""Who asks: somebody who may apply whatever the tests need."""

SOON = timedelta(seconds=30)
"""How long the API server may take for what is not about that."""

ROLE = "view"
"""A ClusterRole that is there and may be granted."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A cluster, and the hands to prepare it with."""

    cluster: Cluster
    namespace: str
    now: datetime
    apply: Callable[[Json], object]  # as somebody who may
    delete: Callable[[str, str, str], object]  # kind, name, namespace
    closed: ClosedRequests  # the same cluster

    def request(self, name: str = "inc-1") -> dict[str, Any]:
        """Return an AccessRequest as a person would apply it."""
        return {
            "apiVersion": names.API_VERSION,
            "kind": "AccessRequest",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "policyName": "debug",
                "requester": PERSON,
                "submittedBy": PERSON,
                "duration": "1h",
                "reason": "payment workers crash-loop",
            },
        }

    async def requested(self, name: str = "inc-1") -> dict[str, Any]:
        """Apply an AccessRequest and return it as stored."""
        self.apply(self.request(name))
        stored = await self.cluster.get_request(self.namespace, name)
        assert stored is not None
        return stored

    def binding(self, request: Json) -> dict[str, Any]:
        """Return the manifest of a request's grant."""
        uid, name = request["metadata"]["uid"], request["metadata"]["name"]
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {
                "name": names.binding_name(uid),
                "namespace": self.namespace,
                "labels": {names.LABEL_REQUEST_UID: uid},
                "annotations": {
                    names.ANNOTATION_REQUEST: name,
                    names.ANNOTATION_POLICY: "debug",
                    names.ANNOTATION_TERMS: "0" * 64,
                    names.ANNOTATION_STARTS_AT: format_time(self.now),
                    names.ANNOTATION_EXPIRES_AT: format_time(self.now + timedelta(hours=1)),
                    names.ANNOTATION_RECEIPT: "main/1/2/" + "0" * 64,
                },
                "ownerReferences": [
                    {
                        "apiVersion": names.API_VERSION,
                        "kind": "AccessRequest",
                        "name": name,
                        "uid": uid,
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice@example.com"}],
        }

    async def written(self, request: Json, **status: Any) -> dict[str, Any]:
        """Patch the status of a request as it was read, and return it as stored."""
        meta = request["metadata"]
        return await self.cluster.patch_request_status(
            self.namespace, meta["name"], meta["uid"], meta["resourceVersion"], status
        )


def mine(bench: Bench, bodies: list[dict[str, Any]]) -> list[str]:
    """Return the names of those objects that are in the test's own namespace."""
    return [body["metadata"]["name"] for body in bodies if body["metadata"]["namespace"] == bench.namespace]


class ClusterContract:
    """The contract of `ports.Cluster`."""

    async def test_what_is_applied_is_listed_and_says_what_it_is(self, bench: Bench) -> None:
        await bench.requested("inc-1")
        await bench.requested("inc-2")

        listed = await bench.cluster.list_requests()

        assert mine(bench, listed) == ["inc-1", "inc-2"]
        assert {(body["kind"], body["apiVersion"]) for body in listed} == {("AccessRequest", "curfew.dev/v1alpha1")}

    async def test_what_is_not_there_is_none(self, bench: Bench) -> None:
        assert await bench.cluster.get_request(bench.namespace, "inc-1") is None
        assert await bench.cluster.get_binding(bench.namespace, "curfew-1") is None
        assert await bench.cluster.get_role("Role", bench.namespace, "absent") is None
        assert await bench.cluster.get_role("ClusterRole", bench.namespace, "curfew-contract-absent") is None

    async def test_a_role_of_either_kind_is_read(self, bench: Bench) -> None:
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
        bench.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "debug", "namespace": bench.namespace},
                "rules": [rule],
            }
        )

        role = await bench.cluster.get_role("Role", bench.namespace, "debug")
        cluster_role = await bench.cluster.get_role("ClusterRole", bench.namespace, ROLE)

        assert role is not None
        assert role["rules"] == [rule]
        assert cluster_role is not None
        assert cluster_role["metadata"]["uid"]

    async def test_the_revision_is_that_of_the_last_change(self, bench: Bench) -> None:
        before = await bench.cluster.revision()
        request = await bench.requested("inc-1")
        after = await bench.cluster.revision()

        assert before < int(request["metadata"]["resourceVersion"]) <= after

    async def test_a_request_labelled_closed_is_listed_no_more(self, bench: Bench) -> None:
        request = await bench.written(await bench.requested("inc-1"), phase="Pending")
        await bench.written(request, phase="Denied")
        await bench.requested("inc-2")

        labelled = await bench.cluster.label_closed(bench.namespace, "inc-1", request["metadata"]["uid"])

        assert labelled["metadata"]["labels"][names.LABEL_CLOSED] == "true"
        assert mine(bench, await bench.cluster.list_requests()) == ["inc-2"]
        assert await bench.cluster.get_request(bench.namespace, "inc-1") == labelled

    async def test_a_request_that_is_counted_is_found_by_its_label(self, bench: Bench) -> None:
        """The status says so first; no other can be labelled so, and what it says is never changed."""
        counted = {"phase": "Failed", "countedIn": "2026-11-23T12:00:00Z", "countedWithOthers": True}
        request = await bench.written(await bench.requested("inc-1"), **counted)
        other = await bench.written(await bench.requested("inc-2"), phase="Failed")
        await bench.cluster.label_closed(bench.namespace, "inc-2", other["metadata"]["uid"])

        await bench.cluster.label_closed(bench.namespace, "inc-1", request["metadata"]["uid"], "2026-11-23T12")

        found = [dict(body) async for body in bench.cluster.counted_requests()]
        assert mine(bench, found) == ["inc-1"]
        assert mine(bench, await bench.cluster.list_requests()) == []

    async def test_another_request_of_that_name_is_not_labelled(self, bench: Bench) -> None:
        await bench.written(await bench.written(await bench.requested("inc-1"), phase="Pending"), phase="Denied")

        with pytest.raises(Conflict):
            await bench.cluster.label_closed(bench.namespace, "inc-1", "00000000-0000-0000-0000-000000000000")
        with pytest.raises(NotFound):
            await bench.cluster.label_closed(bench.namespace, "inc-2", "00000000-0000-0000-0000-000000000000")

        assert mine(bench, await bench.cluster.list_requests()) == ["inc-1"]

    async def test_a_closed_request_is_found_and_only_that_version_of_it_is_deleted(self, bench: Bench) -> None:
        read = await bench.written(await bench.written(await bench.requested("inc-1"), phase="Pending"), phase="Denied")
        await bench.requested("inc-2")
        uid, name = read["metadata"]["uid"], read["metadata"]["name"]
        labelled = await bench.cluster.label_closed(bench.namespace, name, uid)
        version = labelled["metadata"]["resourceVersion"]

        found = [one async for one in bench.closed.closed_requests() if one.namespace == bench.namespace]

        created = parse_time(read["metadata"]["creationTimestamp"])
        assert found == [ClosedRequest(bench.namespace, name, uid, created)]
        for another in ((uid, read["metadata"]["resourceVersion"]), ("00000000-0000-0000-0000-000000000000", version)):
            with pytest.raises(Conflict):
                await bench.closed.delete_request(bench.namespace, name, *another)
        assert await bench.cluster.get_request(bench.namespace, name) == labelled
        await bench.closed.delete_request(bench.namespace, name, uid, version)
        assert await bench.cluster.get_request(bench.namespace, name) is None
        with pytest.raises(NotFound):
            await bench.closed.delete_request(bench.namespace, name, uid, version)

    async def test_a_binding_is_created_once(self, bench: Bench) -> None:
        manifest = bench.binding(await bench.requested())

        stored = await bench.cluster.create_binding(manifest, SOON)
        with pytest.raises(AlreadyExists):
            await bench.cluster.create_binding(manifest, SOON)

        meta = stored["metadata"]
        assert meta["uid"]
        assert meta["resourceVersion"]
        assert meta["creationTimestamp"]
        assert meta["annotations"] == manifest["metadata"]["annotations"]
        assert stored["roleRef"] == manifest["roleRef"]
        assert stored["subjects"] == manifest["subjects"]
        assert await bench.cluster.get_binding(bench.namespace, meta["name"]) == stored

    async def test_only_our_bindings_are_listed_and_they_say_what_they_are(self, bench: Bench) -> None:
        request = await bench.requested()
        stored = await bench.cluster.create_binding(bench.binding(request), SOON)
        standing = bench.binding(request)
        standing["metadata"] = {"name": "standing", "namespace": bench.namespace}
        bench.apply(standing)

        listed = await bench.cluster.list_bindings()

        assert mine(bench, listed) == [stored["metadata"]["name"]]
        assert {(body["kind"], body["apiVersion"]) for body in listed} == {
            ("RoleBinding", "rbac.authorization.k8s.io/v1")
        }

    async def test_a_binding_is_deleted_once_and_only_by_its_uid(self, bench: Bench) -> None:
        meta = (await bench.cluster.create_binding(bench.binding(await bench.requested()), SOON))["metadata"]

        name, other = meta["name"], "00000000-0000-0000-0000-000000000000"
        assert await bench.cluster.delete_binding(bench.namespace, name, other) is False
        assert await bench.cluster.get_binding(bench.namespace, name) is not None
        assert await bench.cluster.delete_binding(bench.namespace, name, meta["uid"]) is True
        assert await bench.cluster.get_binding(bench.namespace, name) is None
        assert await bench.cluster.delete_binding(bench.namespace, name, meta["uid"]) is False

    async def test_a_status_is_written_to_the_version_that_was_read_and_to_no_other(self, bench: Bench) -> None:
        request = await bench.requested()

        first = await bench.written(request, phase="Pending", approvals="0/1")
        with pytest.raises(Conflict):
            await bench.written(request, approvals="1/1")
        second = await bench.written(first, approvals="1/1")

        assert first["status"]["phase"] == "Pending"
        assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
        assert await bench.cluster.get_request(bench.namespace, "inc-1") == second

    async def test_a_status_is_written_to_the_request_that_was_read_and_to_no_other(self, bench: Bench) -> None:
        """Names are used again."""
        request = await bench.requested()
        bench.delete("AccessRequest", "inc-1", bench.namespace)

        with pytest.raises(NotFound):
            await bench.written(request, phase="Pending")
        another = await bench.requested()
        with pytest.raises(Conflict):
            await bench.written(request, phase="Pending")

        assert await bench.cluster.get_request(bench.namespace, "inc-1") == another

    async def test_a_status_is_merged(self, bench: Bench) -> None:
        grant = {
            "binding": "curfew-1",
            "uid": "u1",
            "receipt": {"log": "main", "index": 1, "size": 2, "root": "0" * 64},
        }
        one, two = ({"record": "{}", "seal": "1"}, {"record": "{}", "seal": "2"})
        request = await bench.written(await bench.requested(), phase="Pending", approvals="0/1", outbox=[one, two])

        request = await bench.written(request, approvals=None, outbox=[two], grant=grant)
        request = await bench.written(request, grant={"uid": "u2"})

        status = request["status"]
        assert status["phase"] == "Pending", "what is not said stays"
        assert "approvals" not in status, "null removes"
        assert status["outbox"] == [two], "a list is replaced"
        assert status["grant"] == {**grant, "uid": "u2"}, "an object is merged as well"

    async def test_a_phase_is_not_rewound(self, bench: Bench) -> None:
        request = await bench.written(await bench.requested(), phase="Pending")
        request = await bench.written(request, phase="Denied")

        with pytest.raises(Invalid, match="phase cannot be rewound"):
            await bench.written(request, phase="Pending")

    async def test_an_end_is_not_put_off(self, bench: Bench) -> None:
        request = await bench.written(await bench.requested(), phase="Pending", expiresAt="2026-11-23T20:00:00Z")
        request = await bench.written(request, expiresAt="2026-11-23T19:00:00Z")

        with pytest.raises(Invalid, match="expiresAt can never be extended"):
            await bench.written(request, expiresAt="2026-11-23T20:00:00Z")
        with pytest.raises(Invalid, match=r"expiresAt.* cannot be removed"):
            await bench.written(request, expiresAt=None)

    async def test_a_policy_has_a_status(self, bench: Bench) -> None:
        bench.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": "AccessPolicy",
                "metadata": {"name": "debug", "namespace": bench.namespace},
                "spec": {"roleRef": {"kind": "ClusterRole", "name": ROLE}, "maxDuration": "4h"},
            }
        )
        [policy] = [
            body
            for body in await bench.cluster.list_policies()
            if body["metadata"]["namespace"] == bench.namespace and body["kind"] == "AccessPolicy"
        ]
        meta = policy["metadata"]

        wanted = {"observedGeneration": meta["generation"], "risk": ["ReadsSecrets"]}
        arguments = (bench.namespace, "debug", meta["uid"], meta["resourceVersion"], wanted)
        written = await bench.cluster.patch_policy_status(*arguments)

        assert written["status"] == wanted
        with pytest.raises(Conflict):
            await bench.cluster.patch_policy_status(*arguments)


def this_second() -> datetime:
    """Return the time of day; a real API server checks an end against its own clock."""
    return datetime.now(UTC).replace(microsecond=0)
