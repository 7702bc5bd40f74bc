"""The Leases in memory keep the contract; the real ones are held to it in tests/integration/test_leases.py."""

import pytest

from tests.support.leases import FakeLeases
from tests.support.leases_contract import Kept, LeasesContract


class TestFakeLeases(LeasesContract):
    """The Leases that other tests stand on."""

    @pytest.fixture
    def kept(self) -> Kept:
        """Return a place for one."""
        return Kept(FakeLeases(), "curfew-system", "curfew")
