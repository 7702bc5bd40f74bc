"""From one operator to two and back, with grants that are active: by Helm 3, which patches, and by Helm 4, which applies.

The operator of before is the code of before.
"""

from asyncio import to_thread
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.chart.releases import Objects, Release
from tests.integration.installed import Installed
from tests.integration.operator.place import Asked, Place, now
from tests.integration.operator.stage import a_stage
from tests.support.scale import drawn

ADDED = {
    *("Role curfew-lease", "RoleBinding curfew-lease", "PodDisruptionBudget curfew"),
    *("PriorityClass curfew", "FlowSchema curfew-ends", "PriorityLevelConfiguration curfew-ends"),
}
"""What there is with two operators and not with one."""

HELMS = [pytest.param("helm3", "Update", id="Helm 3"), pytest.param("helm", "Apply", id="Helm 4")]
"""One of them outside of `make soak`: what differs is how an upgrade is written, and the story is the same."""

RECREATE = {"type": "Recreate"}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
SHORT = timedelta(seconds=12)
LONG = 60.0


def deployed(objects: Objects) -> tuple[int, object]:
    """Return how many operators there are to be, and how they are replaced."""
    spec = objects["Deployment curfew"]["spec"]
    return spec["replicas"], spec["strategy"]


async def granted(place: Place, lasts: timedelta) -> tuple[Asked, datetime]:
    """Return an active grant, and when it ends."""
    asked = await place.active(
        place.people.alice, duration="1h", notAfter=(now() + lasts).isoformat(timespec="seconds")
    )
    return asked, asked.time("expiresAt")


@pytest.mark.parametrize(("helm", "writes"), drawn(HELMS, "Helm"))
async def test_from_one_operator_to_two_and_back(
    apart: Installed, helm: str, writes: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Grants stay, and end on time; the objects are those of each chart, and nothing is left behind."""
    release = Release(apart, helm, tmp_path)
    store = f"s3://{apart.environment.s3.make_bucket(f'upgrade-{helm}')}/curfew"

    async def ends(what: str, asked: Asked, end: datetime) -> None:
        gone = await asked.unbound(LONG)
        assert gone >= end
        record_property(f"{what}, removed after", f"{(gone - end).total_seconds() * 1000:.0f} ms")

    release.install_previous(store)
    before = release.objects()
    async with a_stage(apart, tmp_path) as stage:
        with release.operators("curfew-old", previous=True):
            place = await stage.place(opted_in=False)
            apart.kubectl("label", "namespace", place.namespace, "curfew.dev/grants=enabled")
            stays, _ = await granted(place, timedelta(hours=1))
            first = await granted(place, SHORT)
            await to_thread(release.upgrade)  # whoever watches goes on
            first_time = await to_thread(release.objects)
            await ends("a grant of before the upgrade", *first)
        with release.operators("curfew-a", "curfew-b"):
            await to_thread(release.upgrade)
            between = await to_thread(release.objects)
            second = await granted(place, SHORT)
            await to_thread(release.helm, "rollback", "curfew", "1")
            after = await to_thread(release.objects)
            await ends("a grant of before the rollback", *second)
        with release.operators("curfew-again", previous=True):
            assert (await stays.binding_now()).is_ok
            (await stays.decide(place.people.bob, "Revoke")).done()
            third = await place.active(place.people.alice)
            (await third.decide(place.people.bob, "Revoke")).done()
            for asked in (stays, first[0], second[0], third):
                await asked.unbound(LONG)
                await asked.closed(LONG)
    assert writes in release.way_of_writing()
    release.helm("uninstall", "curfew")

    assert deployed(before) == deployed(after) == (1, RECREATE)
    # The one that ran alone goes first: it knows no Lease.
    assert deployed(first_time) == (2, RECREATE)
    assert deployed(between) == (2, ROLLING)
    assert set(first_time) == set(between)
    assert set(between) - set(before) == ADDED
    assert after == before
    left = {name for name in release.objects() if not name.startswith("CustomResourceDefinition")}
    assert left == {"Secret curfew-signing-key", "ConfigMap curfew-checkpoint"}
