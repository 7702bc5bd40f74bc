"""Buckets that are no good: nothing is granted, everybody who looks is told why, and what is put right is noticed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.place import SOON, Asked, Place
from tests.support.operator_process import OperatorProcess
from tools.servers.ports import LOOPBACK, free_port

NewOperator = Callable[..., OperatorProcess]


@asynccontextmanager
async def running(operator: OperatorProcess) -> AsyncIterator[OperatorProcess]:
    """Run an operator as long as the block; it is ready, because ending access needs no bucket."""
    operator.start()
    try:
        await asyncio.to_thread(operator.await_ready)
        yield operator
    finally:
        operator.kill()


async def assert_everybody_is_told(asked: Asked, operator: OperatorProcess, reason: str, sentence: str) -> None:
    """Look where people look: the condition, the Event, /readyz, the metric and the log."""
    await asked.phase("Approved")
    assert sentence in await asked.said("Recorded", reason)
    _, said = await asyncio.to_thread(operator.readyz)
    assert sentence in said["parts"]["trail"]
    assert said["parts"]["trail"].startswith("takes no records, nothing is granted: ")
    assert await asyncio.to_thread(operator.metric, "curfew_trail_healthy", reason=reason) == 0
    (line,) = {line["problem"] for line in operator.lines() if line.get("reason") == reason}
    assert sentence in line
    async with asyncio.timeout(SOON):  # Events are told in the background
        while not (events := [e for e in await asked.place.events(asked.uid) if e["type"] == "Warning"]):
            pass
    assert {event["reason"] for event in events} == {reason}
    assert sentence in events[-1]["note"]
    assert asked.place.sights.binding(asked.uid) is None


@pytest.mark.parametrize(
    ("setup", "reason", "sentence"),
    [
        pytest.param({"object_lock": False}, "NotWriteOnce", "has no Object Lock. Enable it", id="no lock"),
        pytest.param(
            {"object_lock": False, "versioning": False},
            "NotWriteOnce",
            "keeps no versions (never enabled). Enable versioning.",
            id="no versioning",
        ),
    ],
)
async def test_a_bucket_that_is_not_write_once_grants_nothing(
    cluster: Installed,
    new_operator: NewOperator,
    place: Place,
    request: pytest.FixtureRequest,
    setup: Mapping[str, Any],
    reason: str,
    sentence: str,
) -> None:
    """Promise P2: a record that can be taken back is none."""
    bucket = cluster.environment.s3.make_bucket(f"open-{len(setup)}", **setup)
    async with running(new_operator(store=f"s3://{bucket}/curfew")) as operator:
        asked = await place.ask(place.people.alice, "automatic")
        await assert_everybody_is_told(asked, operator, reason, sentence)


async def test_a_bucket_that_is_not_write_once_may_be_accepted_by_name(
    cluster: Installed, new_operator: NewOperator, place: Place
) -> None:
    """`audit.worm: advisory` says so; it is reported, and the grant is made."""
    bucket = cluster.environment.s3.make_bucket("advisory", object_lock=False)
    async with running(new_operator(store=f"s3://{bucket}/curfew", worm="advisory")):
        await (await place.ask(place.people.alice, "automatic")).phase("Active")


async def test_a_folder_may_be_accepted_by_name(new_operator: NewOperator, place: Place, tmp_path: Path) -> None:
    """The embedded default for trying it out."""
    async with running(new_operator(store=f"file://{tmp_path}/trail", worm="advisory")):
        await (await place.ask(place.people.alice, "automatic")).phase("Active")
    assert list((tmp_path / "trail" / "v1" / "log=main").rglob("*.jsonl.zst"))


async def test_a_bucket_that_does_not_exist_is_named_and_noticed_when_it_is_made(
    cluster: Installed, new_operator: NewOperator, place: Place
) -> None:
    """Nothing has to be restarted."""
    async with running(new_operator(store="s3://not-there-yet/curfew")) as operator:
        asked = await place.ask(place.people.alice, "automatic")
        await assert_everybody_is_told(
            asked,
            operator,
            "StoreUnavailable",
            "The bucket not-there-yet does not exist (404 NoSuchBucket: The specified bucket does not exist). "
            "Create it with versioning and Object Lock, or correct the address.",
        )
        cluster.environment.s3.make_bucket("not-there-yet")
        await asked.phase("Active")


async def test_a_server_that_is_not_there_is_named(new_operator: NewOperator, place: Place) -> None:
    """With its port, which is what was mistyped."""
    host = f"{LOOPBACK}:{free_port()}"
    async with running(new_operator(environ={"AWS_ENDPOINT_URL": f"http://{host}"})) as operator:
        asked = await place.ask(place.people.alice, "automatic")
        await assert_everybody_is_told(asked, operator, "StoreUnavailable", f"{host}, where the bucket operator-")


async def test_wrong_credentials_are_named_and_told_to_nobody(
    cluster: Installed, new_operator: NewOperator, place: Place
) -> None:
    """Promise P12: neither they nor what is derived from them are in the log, or anywhere else."""
    wrong = "not-the-secret-of-this-bucket"
    async with running(new_operator(environ={"AWS_SECRET_ACCESS_KEY": wrong})) as operator:
        asked = await place.ask(place.people.alice, "automatic")
        await assert_everybody_is_told(asked, operator, "StoreUnavailable", "does not accept the credentials (403")
        everything = f"{operator.said()}{asked.body}{await place.events()}{operator.readyz()}"
    for secret in (wrong, "Signature=", cluster.environment.s3.env()["AWS_ACCESS_KEY_ID"]):
        assert secret not in everything
