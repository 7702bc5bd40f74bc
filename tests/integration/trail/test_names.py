"""A log without names on a real bucket, and a bucket of names that forgets."""

import asyncio
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from curfew.adapters.clock import SystemClock
from curfew.cli import main
from curfew.ports import ObjectStore
from curfew.trail import People
from tests.support.trail import SIGNER, Observer, a_trail, records, running, until

ALICE = "alice@example.com"


def audit(*arguments: str) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *arguments], prog_name="curfew")


@pytest.fixture
def names(open_bucket: Callable[..., ObjectStore]) -> ObjectStore:
    """Return a store in a bucket that forgets."""
    return open_bucket(object_lock=False, versioning=False)


@pytest.fixture
async def log(store: ObjectStore, names: ObjectStore) -> ObjectStore:
    """Return the store of a log that names alice and bob by their pseudonyms."""
    observer = Observer()
    trail = a_trail(store, observer, clock=SystemClock(), people=People(names, SystemClock()))
    wanted = records(1, 50)
    trail.submit(wanted)
    async with running(trail):
        await until(observer, lambda: all(trail.receipt(record.id) for record in wanted), within=30)
    return store


def test_who_is_forgotten_is_forgotten_and_the_log_is_whole(log: ObjectStore, names: ObjectStore) -> None:
    pseudonym = audit("who", ALICE, "--people", names.url).stdout.strip()
    assert pseudonym in audit("tail", log.url, "-o", "json").stdout
    assert ALICE not in audit("tail", log.url, "-n", "1000", "-o", "json").stdout

    forgotten = audit("forget", ALICE, "--people", names.url, "--yes")

    assert forgotten.exit_code == 0, forgotten.output
    assert audit("who", pseudonym, "--people", names.url).exit_code == 1
    verified = audit("verify", log.url, "--key", str(SIGNER.verifier))
    assert verified.exit_code == 0, verified.output


def test_names_are_shown_to_whoever_may_read_them(log: ObjectStore, names: ObjectStore) -> None:
    assert "bob@example.com" not in audit("tail", log.url, "-o", "json").stdout
    assert "bob@example.com" in audit("tail", log.url, "-o", "json", "--people", names.url).stdout


async def test_a_bucket_that_keeps_versions_is_said_to(open_bucket: Callable[..., ObjectStore]) -> None:
    names = open_bucket(object_lock=False, versioning=True)
    await People(names, SystemClock()).hide(records(1, 1))

    result = await asyncio.to_thread(audit, "forget", ALICE, "--people", names.url, "--yes")

    assert result.exit_code == 1
    assert f"The key of {ALICE} was deleted, but a copy may remain." in result.stderr
    assert "keeps versions, so deleted objects can be restored" in result.stderr
