"""etcd is restored from a backup, under a running operator and with the operator started anew: what ended has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.place import Asked, now
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess

AFTER_RETURN = timedelta(seconds=15)
"""Within which access that the log holds ended is gone again, after the API server is back."""


@dataclass
class Seen:
    """What was seen, to be judged by the tests one by one."""

    revoked: Asked
    waited: Asked
    running: "Restored"
    restarted: "Restored"
    evidence: Evidence


@dataclass
class Restored:
    """What was seen after one restore."""

    back_at: datetime
    gone_at: datetime
    revoked: dict[str, object]  # its status
    waited: dict[str, object]


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 30) -> None:
    """Ask until it is so. No watch is used: the revision that one waits for may be far away now."""
    deadline = now() + timedelta(seconds=seconds)
    while not await holds():
        assert now() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.1)


async def status_of(asked: Asked) -> dict[str, object]:
    """Return the status of a request, read anew."""
    found: dict[str, object] = (await asked.place.people.admin.get(asked.path)).done().get("status", {})
    return found


async def ended_again(revoked: Asked, waited: Asked, *, waited_until: str, back_at: datetime) -> Restored:
    """Return when the grant is gone and both requests are where they belong."""

    async def is_gone() -> bool:
        return (await revoked.binding_now()).status == 404

    async def is_settled() -> bool:
        ended, went_on = await status_of(revoked), await status_of(waited)
        return ended.get("phase") == "Revoked" and went_on.get("phase") == waited_until

    await until(is_gone, "the grant goes")
    gone_at = now()
    await until(is_settled, f"{await status_of(revoked)} and {await status_of(waited)} are settled")
    return Restored(back_at, gone_at, await status_of(revoked), await status_of(waited))


@pytest.fixture(scope="module")
def seen(
    cluster: Installed,
    certificates: Path,
    operator: OperatorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    """Restore one backup twice, and look."""
    plane, backup = cluster.environment.control_plane, tmp_path_factory.mktemp("etcd") / "backup"

    async def play() -> Seen:
        async with a_stage(cluster, certificates) as stage:
            place = await stage.place()
            people = place.people
            # Long enough that its own time is not over before the second restore, however slow the machine is.
            revoked, waited = await place.active(people.alice, duration="1h"), await place.pending(people.carol)
            await recorded(operator, revoked, waited)
            await asyncio.to_thread(plane.back_up_etcd, backup)
            (await revoked.decide(people.bob, "Revoke")).done()
            await revoked.closed()

            await asyncio.to_thread(plane.restore_etcd, backup)
            assert (await status_of(revoked))["phase"] in ("Active", "Revoked")
            running = await ended_again(revoked, waited, waited_until="Pending", back_at=now())
            # What people decide now takes effect, as if nothing had been.
            (await waited.decide(people.bob)).done()
            await until(lambda: is_phase(waited, "Active"), "the approval counts")
            (await waited.decide(people.bob, "Revoke")).done()
            await until(lambda: is_phase(waited, "Revoked"), "the revocation counts")
            await until(lambda: is_recorded(waited), "its end is in the log")

            await asyncio.to_thread(operator.stop)
            await asyncio.to_thread(plane.restore_etcd, backup)
            assert (await status_of(revoked))["phase"] == "Active"
            back_at = now()
            await asyncio.to_thread(operator.start)
            await asyncio.to_thread(operator.await_ready)
            restarted = await ended_again(revoked, waited, waited_until="Failed", back_at=back_at)
            await until(
                lambda: is_told(revoked, "grant.orphan_removed", 2),
                "that the log tells of both bindings that came back",
            )
            return Seen(revoked, waited, running, restarted, await asyncio.to_thread(read_log, operator))

    async def is_told(asked: Asked, event: str, times: int) -> bool:
        return (await asyncio.to_thread(read_log, operator)).story(asked.uid).count(event) == times

    async def is_phase(asked: Asked, phase: str) -> bool:
        return (await status_of(asked)).get("phase") == phase

    async def is_recorded(asked: Asked) -> bool:
        body = (await asked.place.people.admin.get(asked.path)).done()
        return "curfew.dev/closed" in body["metadata"].get("labels", {})

    return asyncio.run(play())


def test_what_the_log_holds_ended_ends_again(seen: Seen, measured: Callable[[str, timedelta], None]) -> None:
    """Promise P1, whatever the cluster was set back to."""
    for name, restored in (("running", seen.running), ("started anew", seen.restarted)):
        assert restored.revoked["phase"] == "Revoked"
        assert restored.revoked["endReason"] == "RevokedByApprover", "the end that the log holds"
        measured(
            f"from the API server's return to the binding gone, operator {name}", restored.gone_at - restored.back_at
        )
        assert restored.gone_at - restored.back_at < AFTER_RETURN


def test_what_was_decided_after_the_restore_counts(seen: Seen) -> None:
    """The running operator takes in what is there, not what it remembers; of a story that is closed nothing is granted."""
    assert seen.running.waited["phase"] == "Pending"
    assert seen.restarted.waited["phase"] == "Failed"
    assert seen.restarted.waited["endReason"] == "StoryClosed"


def test_a_restore_is_in_the_log_and_nothing_is_told_twice(seen: Seen) -> None:
    """Promise P7. The bindings that came back are told; the closed stories are not told again."""
    events = [record.event for record in seen.evidence.records]
    assert "audit.cluster_set_back" in events
    assert seen.evidence.twice == []
    story = seen.evidence.story(seen.revoked.uid)
    assert story.count("request.closed") == 1
    assert story[story.index("request.closed") + 1 :] == ["grant.orphan_removed", "grant.orphan_removed"]
    assert seen.evidence.story(seen.waited.uid).count("request.closed") == 1
