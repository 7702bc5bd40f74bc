"""A name is used once: the store says who was first, whatever lies there instead."""

import asyncio
from pathlib import Path

import pytest

from curfew.adapters.objectstore import open_store
from curfew.trail import UsedNames


@pytest.fixture
def names(tmp_path: Path) -> UsedNames:
    return UsedNames(open_store(f"file://{tmp_path}"), "main")


def the_object(folder: Path) -> Path:
    """Return the one object in a store."""
    (found,) = folder.rglob("*.json")
    return found


async def test_who_asks_first_has_the_name(names: UsedNames) -> None:
    assert await names.claim("payments", "auto", "inc-1", "first") == "first"
    assert await names.claim("payments", "auto", "inc-1", "second") == "first"
    assert await names.claim("payments", "auto", "inc-1", "first") == "first", "asking again changes nothing"


@pytest.mark.parametrize(
    "other", [("shop", "auto", "inc-1"), ("payments", "more", "inc-1"), ("payments", "auto", "inc-2")]
)
async def test_another_name_is_another(names: UsedNames, other: tuple[str, str, str]) -> None:
    await names.claim("payments", "auto", "inc-1", "first")

    assert await names.claim(*other, "second") == "second"


async def test_of_many_at_once_one_has_it(names: UsedNames) -> None:
    holders = await asyncio.gather(*(names.claim("payments", "auto", "inc-1", f"uid-{n}") for n in range(20)))

    assert len(set(holders)) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"uid":7}', b'{"uid":"' + b"x" * 65 + b'"}', b"[" * 1000, b"\xff"]
)
async def test_rubbish_in_its_place_counts_as_used(names: UsedNames, tmp_path: Path, body: bytes) -> None:
    """Empty and unknown mean no (promise P8)."""
    await names.claim("payments", "auto", "inc-1", "first")
    stored = the_object(tmp_path)
    stored.chmod(0o600)
    stored.write_bytes(body)

    assert await names.claim("payments", "auto", "inc-1", "first") == ""


async def test_no_name_of_anybody_is_stored(names: UsedNames, tmp_path: Path) -> None:
    await names.claim("payments", "auto", "alice-night-shift", "first")

    stored = the_object(tmp_path)
    assert stored.read_bytes() == b'{"uid":"first"}'
    assert "alice" not in str(stored.relative_to(tmp_path))
