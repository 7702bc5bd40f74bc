"""Each way in which a bucket can be out of order comes out as one clear sentence.

The answers are given by a small server, so that what obstore makes of them is tested too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import cast

import pytest
from obstore.exceptions import GenericError

from curfew.adapters.objectstore import bucket, open_store
from curfew.adapters.objectstore.errors import is_refusal, translate
from curfew.ports import ObjectExists, ObjectMissing, ObjectStore, StoreError, StoreUnavailable

NAME = "v1/log=main/dt=2026-11-24/000000000007-ab.jsonl.zst"
Reaction = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answering = Callable[[Reaction], AbstractAsyncContextManager[tuple[ObjectStore, str]]]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Return what opens a store at a server that reacts in a given way."""

    @asynccontextmanager
    async def open_at(react: Reaction) -> AsyncIterator[tuple[ObjectStore, str]]:
        reacting: list[asyncio.Task[None]] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reacting.append(cast("asyncio.Task[None]", asyncio.current_task()))
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await react(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
            yield open_store("s3://trail/prefix"), f"127.0.0.1:{port}"
        await asyncio.gather(*reacting)

    return open_at


def answer(status: int, body: str = "") -> Reaction:
    """Return a reaction: this status, this body, and goodbye."""

    async def react(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())

    return react


def s3_error(code: str, message: str = "") -> str:
    """Return the body of an answer as S3 writes it."""
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message><Key>AKIA1</Key></Error>"


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing until the other side gives up."""
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take some of the request and close."""
    await reader.read(10)


async def say_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say something that is not TLS before being asked."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def outcomes(store: ObjectStore) -> list[StoreError]:
    """Return the error of each call."""
    errors = []
    for call in (store.create(NAME, b"x"), store.get(NAME), store.list("v1/"), store.list_partitions("v1/")):
        with pytest.raises(StoreError) as refused:
            await call
        errors.append(refused.value)
    return errors


@pytest.mark.parametrize(
    ("react", "sentence"),
    [
        pytest.param(
            answer(404, s3_error("NoSuchBucket", "The bucket is not there.")),
            "The bucket trail does not exist (404 NoSuchBucket: The bucket is not there). "
            "Create it with versioning and Object Lock, or correct the address.",
            id="no bucket",
        ),
        pytest.param(
            answer(403, s3_error("SignatureDoesNotMatch")),
            "HOST does not accept the credentials (403 SignatureDoesNotMatch). "
            "Set the credentials for the bucket trail.",
            id="secret",
        ),
        pytest.param(
            answer(403, s3_error("InvalidAccessKeyId", "No such key.")),
            "HOST does not accept the credentials (403 InvalidAccessKeyId: No such key). "
            "Set the credentials for the bucket trail.",
            id="key",
        ),
        pytest.param(
            answer(401),
            "HOST does not accept the credentials (401). Set the credentials for the bucket trail.",
            id="unauthenticated",
        ),
        pytest.param(
            answer(403, s3_error("AccessDenied", "Access Denied")),
            "Access to the bucket trail is denied (403 AccessDenied: Access Denied). Curfew needs to create, read and list "
            "objects there (s3:PutObject, s3:GetObject and s3:ListBucket), and no right to delete.",
            id="access denied",
        ),
        pytest.param(
            answer(403, s3_error("RequestTimeTooSkewed")),
            "The clock of this machine and that of HOST differ too much (403 RequestTimeTooSkewed). Set the clock.",
            id="clock",
        ),
        pytest.param(
            answer(301, s3_error("PermanentRedirect")),
            "The bucket trail is in another region (a redirect to nowhere). Set AWS_REGION to the region of the bucket.",
            id="region",
        ),
        pytest.param(
            answer(503, s3_error("SlowDown", "Please\n  reduce your rate.")),
            "HOST answered for the bucket trail with 503 SlowDown: Please reduce your rate.",
            id="busy",
        ),
        pytest.param(answer(500), "HOST answered for the bucket trail with 500.", id="broken"),
        pytest.param(
            answer(409, s3_error("OperationAborted")),
            "The bucket trail was busy with the same object (409 OperationAborted). Curfew tries again.",
            id="collision",
        ),
        pytest.param(
            hang_up, "HOST, where the bucket trail is, closed the connection without an answer.", id="hangs up"
        ),
    ],
)
async def test_every_call_says_what_is_wrong(answering: Answering, react: Reaction, sentence: str) -> None:
    async with answering(react) as (store, host):
        errors = await outcomes(store)

    assert [type(error) for error in errors] == [StoreUnavailable] * 4
    assert {str(error) for error in errors} == {sentence.replace("HOST", host)}


async def test_a_server_that_says_nothing_is_given_up_in_time(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "TIMEOUT", timedelta(milliseconds=30))
    async with answering(hang) as (store, host):
        errors = await outcomes(store)

    sentence = f"{host}, where the bucket trail is, has not answered in time. Check the endpoint and the network."
    assert {str(error) for error in errors} == {sentence}


async def test_nobody_listening_is_said_with_the_port(answering: Answering) -> None:
    async with answering(hang_up) as (store, host):
        pass
    errors = await outcomes(store)

    sentence = f"{host}, where the bucket trail is, cannot be reached (connection refused)."
    assert {str(error) for error in errors} == {f"{sentence} Check the endpoint and the network."}


async def test_plain_http_must_be_allowed_by_name(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    async with answering(answer(200)) as (store, host):
        errors = await outcomes(store)

    sentence = (
        f"The endpoint http://{host} is plain HTTP, which is refused unless AWS_ALLOW_HTTP (or GOOGLE_ALLOW_HTTP, "
        "AZURE_ALLOW_HTTP) is set to true."
    )
    assert {str(error) for error in errors} == {sentence}


async def test_tls_where_there_is_none_is_said(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(say_hello) as (_, host):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{host}")
        errors = await outcomes(open_store("s3://trail"))

    sentence = (
        f"{host}, where the bucket trail is, does not speak TLS. "
        "If it is meant to be plain HTTP, write http:// and set AWS_ALLOW_HTTP=true."
    )
    assert {str(error) for error in errors} == {sentence}


async def test_a_name_that_is_taken_is_told_from_a_collision(answering: Answering) -> None:
    # S3 answers 412 when the name exists. A 409 says that another call was at it, and nothing about who won; but Azure's.
    async with answering(answer(412, s3_error("PreconditionFailed"))) as (store, _):
        with pytest.raises(ObjectExists):
            await store.create(NAME, b"x")
    async with answering(answer(409, s3_error("ConditionalRequestConflict"))) as (store, _):
        with pytest.raises(StoreUnavailable, match="409 ConditionalRequestConflict"):
            await store.create(NAME, b"x")
    async with answering(answer(409, s3_error("BlobAlreadyExists"))) as (store, _):
        with pytest.raises(ObjectExists):
            await store.create(NAME, b"x")


async def test_a_missing_object_is_told_from_a_missing_bucket(answering: Answering) -> None:
    async with answering(answer(404, s3_error("NoSuchKey"))) as (store, _):
        with pytest.raises(ObjectMissing):
            await store.get(NAME)
        with pytest.raises(StoreUnavailable, match="cannot be stored in the bucket trail, which may not exist"):
            await store.create(NAME, b"x")


# What no server here can be made to answer, in obstore's words.
NOT_KNOWN = """Generic S3 error: Error performing PUT http://bucket.example:9000/trail/x in 2ms - HTTP error: error

Debug source:
 kind: Connect, source: ConnectError("dns error", Custom { error: "failed to lookup address information" })"""
NOT_TRUSTED = """Generic S3 error: Error performing PUT https://bucket.example/trail/x in 2ms - HTTP error: error

Debug source:
 kind: Connect, source: Custom { kind: Other, error: InvalidCertificate(
    UnknownIssuer,
 )"""
NO_CREDENTIALS = """Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 2ms - \
Server returned non-2xx status code: 403 Forbidden: no"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            NOT_KNOWN,
            "The name of bucket.example:9000, where the bucket trail is, cannot be resolved. Check the endpoint and DNS.",
            id="no such host",
        ),
        pytest.param(
            NOT_TRUSTED,
            "The certificate of bucket.example, where the bucket trail is, is not trusted (UnknownIssuer).",
            id="certificate",
        ),
        pytest.param(
            NO_CREDENTIALS,
            "There are no credentials for the bucket trail: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "(or GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY), or give this machine or "
            "its service account a role.",
            id="no credentials",
        ),
        pytest.param(
            "Something new\nand its details", "The bucket trail cannot be used: Something new", id="never seen before"
        ),
        pytest.param("", "The bucket trail cannot be used: no reason was given", id="nothing said"),
    ],
)
def test_what_obstore_says_is_said_in_our_words(text: str, sentence: str) -> None:
    error = translate(GenericError(text), NAME, "the bucket trail")

    assert type(error) is StoreUnavailable
    assert str(error) == sentence


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Server returned non-2xx status code: 403 Forbidden: <Code>AccessDenied</Code>", True),
        ("Server returned non-2xx status code: 409 Conflict: <Code>BlobImmutableDueToPolicy</Code>", True),
        ("Bulk delete request failed for key a/b: It is immutable due to a policy. (code: 409)", True),
        ("Bulk delete request failed for key a/b: The specified container does not exist. (code: 404)", False),
        ("Server returned non-2xx status code: 403 Forbidden: <Code>SignatureDoesNotMatch</Code>", False),
        ("Server returned non-2xx status code: 503 Service Unavailable: ", False),
        ("operation timed out", False),
    ],
)
def test_only_a_no_to_what_was_asked_is_a_refusal(text: str, refused: bool) -> None:
    assert is_refusal(GenericError(text)) is refused
