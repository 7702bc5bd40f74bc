"""What somebody does who has stolen the bucket's credentials, on a real S3 server that keeps its locks (promise P7)."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.attacks.bucket import Robbed, Theft
from tests.attacks.thefts import DONE, REFUSED, UNREADABLE
from tools.servers.s3 import LockMode, S3Server

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return a server of its own: nobody else's keys are stolen."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def stolen(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody have the server's keys."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def rob(s3: S3Server) -> Callable[[LockMode], Robbed]:
    """Return a maker of buckets with a log."""
    return lambda mode: Robbed(s3, f"robbed-{next(_numbers)}", mode)


@pytest.fixture(scope="module")
def kept(rob: Callable[[LockMode], Robbed]) -> Mapping[LockMode, Robbed]:
    """Return a bucket of each mode in which nothing is changed, as the server refuses it."""
    return {"COMPLIANCE": rob("COMPLIANCE"), "GOVERNANCE": rob("GOVERNANCE")}


@pytest.mark.parametrize("theft", REFUSED, ids=str)
def test_what_the_server_refuses(kept: Mapping[LockMode, Robbed], theft: Theft) -> None:
    """And all segments are what is read, in the versions in which they were stored."""
    robbed = kept[theft.mode]

    assert theft.commit(robbed) == theft.refused
    assert robbed.read() == robbed.stored


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
async def test_after_all_that_the_log_is_whole_and_goes_on(kept: Mapping[LockMode, Robbed], mode: LockMode) -> None:
    """The twin of what is refused: with the same credentials, the operator appends."""
    robbed = kept[mode]

    assert (await asyncio.to_thread(robbed.verify, "--anchor", robbed.receipt)).exit_code == 0
    assert await robbed.start() == ("", "")
    assert (await asyncio.to_thread(robbed.verify)).exit_code == 0


@pytest.mark.parametrize("theft", DONE, ids=str)
async def test_what_is_done(rob: Callable[[LockMode], Robbed], theft: Theft) -> None:
    """An auditor finds what is evidence, and nothing else; then the operator goes on with its log, or says why it does not."""
    robbed = await asyncio.to_thread(rob, theft.mode)
    assert theft.commit(robbed) == ""

    verified = await asyncio.to_thread(robbed.verify)
    assert verified.exit_code == theft.verified, verified.output
    assert theft.says in verified.output
    if theft.anchored is not None:
        anchored = await asyncio.to_thread(robbed.verify, "--anchor", robbed.receipt)
        assert anchored.exit_code == theft.anchored, anchored.output

    stops, message = await robbed.start()
    assert stops == theft.stops, message
    if not theft.stops:
        again = await asyncio.to_thread(robbed.verify)
        assert again.exit_code == (theft.verified if theft.after is None else theft.after), again.output


async def test_what_lies_in_the_next_place_of_a_running_operator_is_void(rob: Callable[[LockMode], Robbed]) -> None:
    """It knows what it wrote last, so that nobody else's object passes for it. The log itself says that the place is void."""
    robbed = await asyncio.to_thread(rob, "COMPLIANCE")

    async with robbed.writing() as write:
        await write(1, durable=True)
        robbed.put(await asyncio.to_thread(robbed.next_name))
        await write(2, durable=True)

    verified = await asyncio.to_thread(robbed.verify)
    assert verified.exit_code == 0, verified.output
    assert "it is void" in verified.output


def test_without_their_keys_nothing_is_known_of_a_log(
    rob: Callable[[LockMode], Robbed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no evidence."""
    robbed = rob("COMPLIANCE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "exchanged")

    assert robbed.verify().exit_code == UNREADABLE


def test_titles_are_different() -> None:
    """So that each is one test."""
    assert len({theft.title for theft in (*REFUSED, *DONE)}) == len(REFUSED) + len(DONE)
