"""Buckets that are no good: nothing is granted, everybody who looks is told why, and what is put right is noticed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import SOON, Asked, Place
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment
from tools.servers.ports import LOOPBACK, free_port

NewOperator = Callable[..., OperatorProcess]


@asynccontextmanager
async def running(operator: OperatorProcess) -> AsyncIterator[OperatorProcess]:
    """Run an operator as long as the block; it lists everything, because ending access needs no bucket."""
    operator.start()
    try:
        await asyncio.to_thread(operator.await_listed)
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
            await a_moment()
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
    """With its port, which is what was mistyped; and an operator that cannot write ends all the same when it is asked to."""
    host = f"{LOOPBACK}:{free_port()}"
    async with running(new_operator(environ={"AWS_ENDPOINT_URL": f"http://{host}"})) as operator:
        asked = await place.ask(place.people.alice, "automatic")
        await assert_everybody_is_told(asked, operator, "StoreUnavailable", f"{host}, where the bucket operator-")
        await asyncio.to_thread(operator.stop)


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


# --- a store that was good ----------------------------------------------------------------------------------------------


async def warned_of(cluster: Installed, reason: str, sentence: str) -> None:
    """Return when an Event in Curfew's own namespace tells of it."""
    async with asyncio.timeout(SOON):
        while True:
            asked = await asyncio.to_thread(
                cluster.kubectl, "get", "events.events.k8s.io", "--namespace", SYSTEM, "--output=json"
            )
            events = json.loads(asked.stdout)["items"]
            if any(e["reason"] == reason and e["type"] == "Warning" and sentence in e["note"] for e in events):
                return
            await a_moment()


async def test_a_bucket_that_becomes_weaker_grants_nothing_from_then_on(
    cluster: Installed, new_operator: NewOperator, place: Place, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """Promises P2, P11: somebody clears the default rule, so what is written from then on is not locked."""
    s3 = cluster.environment.s3
    bucket, client = s3.make_bucket("weakened"), s3.client()
    operator = new_operator(store=f"s3://{bucket}/curfew", attest_every="1s")
    sentence = f"The bucket {bucket} has Object Lock but no default retention: nothing is locked"
    async with running(operator):
        before = await place.ask(place.people.alice, "automatic", duration="10m")
        await before.phase("Active")
        assert await asyncio.to_thread(operator.metric, "curfew_worm_attested", evidence="BucketDefault") == 1

        client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
        await asyncio.to_thread(operator.await_said, "nothing is locked; set 1 day or more.")
        asked = await place.ask(place.people.carol, "automatic")
        await assert_everybody_is_told(asked, operator, "NotWriteOnce", sentence)
        await warned_of(cluster, "NotWriteOnce", sentence)
        assert await asyncio.to_thread(operator.metric, "curfew_worm_attested") == 0
        (await before.decide(place.people.alice, "Cancel")).done()  # what ends access waits for no bucket
        await before.phase("Revoked")

        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
        await asked.phase("Active")

    told = [r.block["detail"]["sufficient"] for r in read_log(operator).records if r.event == "audit.attested"]
    assert {True, False} <= set(told)
    assert told[0]
    assert told[-1]


async def test_a_log_that_is_tampered_with_grants_nothing_from_then_on(
    cluster: Installed, new_operator: NewOperator, place: Place, tmp_path: Path
) -> None:
    """Promises P7, P11: also where the store need not be write-once, as a folder that was accepted by name."""
    operator = new_operator(store=f"file://{tmp_path}/trail", worm="advisory", attest_every="1s")
    async with running(operator):
        await (await place.ask(place.people.alice, "automatic")).phase("Active")
        segments = list((tmp_path / "trail" / "v1" / "log=main").rglob("*.jsonl.zst"))
        assert segments
        for segment in segments:
            segment.unlink()

        await asyncio.to_thread(operator.await_said, "the audit trail is not as it was written")
        asked = await place.ask(place.people.carol, "automatic")
        sentence = "is not there any more. The log was tampered with, or the store has lost it"
        await assert_everybody_is_told(asked, operator, "VerificationFailed", sentence)
        await warned_of(cluster, "VerificationFailed", sentence)
        # All are gone, and with each look another one may be found to be.
        assert await asyncio.to_thread(operator.metric, "curfew_audit_verification_failures_total") >= 1
