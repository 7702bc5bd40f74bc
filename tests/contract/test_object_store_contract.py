"""The stores that need no server keep the contract; that of a bucket is held to it in tests/integration/trail."""

from pathlib import Path

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import ObjectStore
from tests.support.store_contract import StoreContract
from tests.support.stores import MemoryStore


class TestMemory(StoreContract):
    """The fake that other tests stand on."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """Return an empty one."""
        return MemoryStore()


class TestFolder(StoreContract):
    """A folder on a real disk."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        """Return one that is not there yet."""
        return open_store(f"file://{tmp_path}/trail")
