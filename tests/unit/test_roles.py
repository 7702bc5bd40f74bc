"""Roles are watched by what they are, and read only if they matter."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from curfew.ports import ClusterError, Conflict, ObjectSeen, TooLarge, Unavailable
from curfew.processes.operator.roles import RoleWatch
from tests.support.builders import a_decision, a_request, a_role
from tests.support.stage import Stage, active

pytestmark = pytest.mark.looptime(start=0)

NAME = "payments-debug"


class Source:
    """Tells of the roles of a stage's cluster; what is watched, and what fails, is put in by the test."""

    def __init__(self, stage: Stage) -> None:
        self._cluster, self._see = stage.cluster, stage._see
        self._get_role, stage.cluster.get_role = stage.cluster.get_role, self.get_role  # type: ignore[method-assign]
        stage.cluster.watchers = [self._tell]
        self.news: asyncio.Queue[ObjectSeen | ClusterError | None] = asyncio.Queue()
        self.read: list[str] = []
        self.lists = 0
        self.too_large: set[str] = set()

    def _tell(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "ClusterRole":
            self.news.put_nowait(_seen(verb, body))
        else:
            self._see(verb, kind, body)

    async def list_roles(self, kind: str) -> tuple[Sequence[ObjectSeen], str]:
        """List."""
        self.lists += kind == "ClusterRole"
        return [_seen("ADDED", body) for body in self._cluster.all(kind)], "1"

    async def watch_roles(self, kind: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Watch; only ClusterRoles change here."""
        if kind == "Role":
            await asyncio.Event().wait()
        while (seen := await self.news.get()) is not None:
            if isinstance(seen, ClusterError):
                raise seen
            yield seen

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Read."""
        self.read.append(name)
        if name in self.too_large:
            raise TooLarge("cannot read it")
        return await self._get_role(kind, namespace, name)


def _seen(type_: str, body: Mapping[str, Any]) -> ObjectSeen:
    meta = body["metadata"]
    return ObjectSeen(type_, meta.get("namespace", ""), meta["name"], meta["uid"], meta["resourceVersion"])


@pytest.fixture
async def watched() -> AsyncIterator[tuple[Stage, Source]]:
    """Return a stage with an active grant, whose roles are watched."""
    stage = Stage()
    await active(stage)
    source = Source(stage)
    watching = asyncio.create_task(RoleWatch(source, stage.store.roles, stage.dirty.add).run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield stage, source
    watching.cancel()


async def test_only_roles_that_matter_are_read(watched: tuple[Stage, Source]) -> None:
    """One was pinned; the others are nobody's business, whatever happens to them."""
    stage, source = watched
    for number in range(3):
        stage.cluster.apply(a_role(f"other-{number}"))
        stage.cluster.delete("ClusterRole", f"other-{number}", "")
    await asyncio.sleep(1)

    assert set(source.read) == {NAME}
    assert [key[2] for key in stage.store.roles.there()] == [NAME]


@pytest.mark.parametrize("how", ["changed", "deleted", "made too large"])
async def test_a_grant_ends_with_the_role_that_was_approved(watched: tuple[Stage, Source], how: str) -> None:
    """As soon as the watch tells of it (promise P5)."""
    stage, source = watched
    if how == "made too large":
        source.too_large.add(NAME)
    if how == "deleted":
        stage.cluster.delete("ClusterRole", NAME, "")
    else:
        stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}]))
    await asyncio.sleep(0.01)
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RoleChanged")


async def test_a_change_that_no_watch_told_of_is_found_in_the_next_list(watched: tuple[Stage, Source]) -> None:
    """The version from which to watch on is not kept any more."""
    stage, source = watched
    stage.cluster.watchers = []
    stage.cluster.delete("ClusterRole", NAME, "")
    source.news.put_nowait(Conflict("too old resource version"))
    await asyncio.sleep(1)
    await stage.settle()

    assert stage.phase() == "Revoked"


async def test_what_fails_is_tried_again_with_growing_pauses(watched: tuple[Stage, Source]) -> None:
    """And a watch that ends is only gone on with."""
    _, source = watched
    source.news.put_nowait(None)
    await asyncio.sleep(1)
    assert source.lists == 1

    for _ in range(3):
        source.news.put_nowait(Unavailable("no answer"))
    await asyncio.sleep(10)
    assert source.lists == 4


async def test_a_role_that_can_be_read_again_can_be_held_again(watched: tuple[Stage, Source]) -> None:
    """It was too large for a while."""
    stage, source = watched
    source.too_large.add(NAME)
    stage.cluster.apply(a_role())
    await asyncio.sleep(0.01)
    await stage.settle()
    source.too_large.clear()
    stage.cluster.apply(a_role())
    await asyncio.sleep(0.01)

    stage.cluster.apply(a_request(name="inc-2"))
    await stage.settle()
    stage.cluster.decide("inc-2", a_decision())
    await stage.settle()
    assert (stage.phase(), stage.phase("inc-2")) == ("Revoked", "Active")


async def test_a_role_that_changed_and_was_not_read_yet_is_read_for_a_request(watched: tuple[Stage, Source]) -> None:
    """A request is pinned to what the role is, and not to what it was."""
    stage, _ = watched
    key = ("ClusterRole", "", NAME)
    await asyncio.sleep(1)
    await stage.settle()
    (policy,) = stage.store.policies.all()
    assert stage.store.roles.whole(policy) is not None

    version = stage.cluster.all("ClusterRole")[0]["metadata"]["resourceVersion"]
    stage.store.roles.note_change(key, str(int(version) + 1))
    assert stage.store.roles.whole(policy) is None
    await stage.reconciler.gatherer._roles.read(policy)
    assert stage.store.roles.whole(policy) is None, "an older version was read"

    stage.cluster.watchers = []
    stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]))
    await stage.reconciler.gatherer._roles.read(policy)
    whole = stage.store.roles.whole(policy)
    assert whole is not None
    assert whole.rules[0]["verbs"] == ["list"]
