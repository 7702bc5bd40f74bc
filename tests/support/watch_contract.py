"""What every watch of open requests shows, as tests: inherit, and give it a `bench` and a `watch` fixture."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.support.cluster_contract import Bench

NextChange = Callable[[], Awaitable[tuple[str | None, Mapping[str, Any]]]]
"""Returns the next change: its type, and the object."""

Watching = Callable[[], AbstractAsyncContextManager[NextChange]]
"""Begins a watch of what happens from then on."""


class WatchContract:
    """The contract of a watch of the AccessRequests that are not labelled closed, in the namespace of the bench."""

    async def test_a_request_that_is_closed_is_shown_as_deleted_and_as_it_was_before(
        self, bench: Bench, watch: Watching
    ) -> None:
        """The operator must not take it for one that a person has deleted."""
        async with watch() as next_change:
            request = await bench.written(await bench.requested(), phase="Pending")
            request = await bench.written(request, phase="Denied")
            labelled = await bench.cluster.label_closed(bench.namespace, "inc-1", request["metadata"]["uid"])
            shown = [await next_change() for _ in range(4)]

        assert [type_ for type_, _ in shown] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
        assert "labels" not in shown[-1][1]["metadata"]
        assert shown[-1][1]["metadata"]["resourceVersion"] == labelled["metadata"]["resourceVersion"]

    async def test_each_change_has_its_own_version_and_they_come_in_order(self, bench: Bench, watch: Watching) -> None:
        async with watch() as next_change:
            request = await bench.requested()
            for approvals in ("0/1", "1/1"):
                request = await bench.written(request, phase="Pending", approvals=approvals)
            versions = [int((await next_change())[1]["metadata"]["resourceVersion"]) for _ in range(3)]

        assert versions == sorted(set(versions))
        assert versions[-1] == int(request["metadata"]["resourceVersion"])
