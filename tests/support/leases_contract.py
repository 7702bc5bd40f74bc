"""What every `Leases` must do, as tests: inherit, and give it a `kept` fixture."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from curfew.ports import AlreadyExists, Conflict, Lease, Leases, NotFound

AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """Leases, and the place of one that does not exist yet."""

    leases: Leases
    namespace: str
    name: str


class LeasesContract:
    """The tests."""

    async def test_a_lease_is_made_once_and_read_back(self, kept: Kept) -> None:
        assert await kept.leases.read_lease(kept.namespace, kept.name) is None
        wanted = Lease("curfew-1", timedelta(seconds=5), acquired=AT, renewed=AT, transitions=3)
        made = await kept.leases.create_lease(kept.namespace, kept.name, wanted)
        assert made.version
        assert replace(made, version="", uid="") == wanted
        assert await kept.leases.read_lease(kept.namespace, kept.name) == made
        with pytest.raises(AlreadyExists):
            await kept.leases.create_lease(kept.namespace, kept.name, replace(wanted, holder="curfew-2"))
        assert await kept.leases.read_lease(kept.namespace, kept.name) == made

    async def test_exactly_one_version_is_replaced(self, kept: Kept) -> None:
        first = await kept.leases.create_lease(
            kept.namespace, kept.name, Lease("curfew-1", timedelta(seconds=5), acquired=AT, renewed=AT)
        )
        second = await kept.leases.replace_lease(
            kept.namespace, kept.name, replace(first, renewed=AT + timedelta(microseconds=1))
        )
        assert second.version != first.version
        assert second.renewed == AT + timedelta(microseconds=1)
        with pytest.raises(Conflict):
            await kept.leases.replace_lease(kept.namespace, kept.name, replace(first, holder="curfew-2"))
        free = await kept.leases.replace_lease(kept.namespace, kept.name, replace(second, holder=""))
        assert free.holder == ""

    async def test_a_lease_that_is_gone_is_not_replaced(self, kept: Kept) -> None:
        stale = Lease("curfew-1", timedelta(seconds=5), acquired=AT, renewed=AT, version="1", uid="none")
        with pytest.raises((NotFound, Conflict)):
            await kept.leases.replace_lease(kept.namespace, kept.name, stale)
        assert await kept.leases.read_lease(kept.namespace, kept.name) is None
