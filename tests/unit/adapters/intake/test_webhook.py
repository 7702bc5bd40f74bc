"""Audit events over HTTPS: what is taken, what is refused, and what the sender is told."""

import asyncio
import gzip
import io
import json
import socket
from collections.abc import AsyncIterator, Iterable

import aiohttp
import pytest
import structlog

from curfew.adapters.intake.settings import WebhookSettings
from curfew.adapters.intake.webhook import IntakeCannotStart, WebhookServer
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchRefused, IntakeRefusal, IntakeUnavailable, Overloaded
from tests.support.intake import TOKEN, Counted, Keys, Taken, event, largest_event, until
from tests.support.sending import BEARER, LIST, Sender, serving
from tools.servers.ports import LOOPBACK


async def test_an_event_list_is_handed_over_as_it_came(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        status, _, _ = await sender.post()

    assert status == 200
    assert sink.batches == [Batch("api-1", Form.KUBERNETES, LIST, is_lines=False)]
    assert observer.taken_of == {"api-1": 1}
    assert observer.bytes == len(LIST)


async def test_the_answer_comes_when_the_sink_has_taken_the_batch_and_not_before(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer) as sender:
        sending = asyncio.create_task(sender.post())
        await until(lambda: sink.under_way == 1)
        assert observer.held[-1] == len(LIST)
        assert not sending.done()
        sink.is_open.set()
        assert (await sending)[0] == 200
    assert observer.held[-1] == 0


@pytest.mark.parametrize("form", list(Form))
async def test_json_lines_are_handed_over_with_their_form(keys: Keys, observer: Counted, form: Form) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        assert (await sender.post(f"/lines/cloud?format={form}", b"{}\n{}"))[0] == 200

    assert sink.batches == [Batch("cloud", form, b"{}\n{}", is_lines=True)]


async def test_a_body_without_a_length_is_taken_too(keys: Keys, observer: Counted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1000

    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        assert (await sender.post(data=chunks()))[0] == 200

    assert sink.bodies == [b"x" * 5000]
    assert observer.held[-1] == 0


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"Authorization": "Bearer wrong-horse-battery-staple"}, id="a wrong token"),
        pytest.param({"Authorization": f"Bearer {TOKEN}x"}, id="a longer token"),
        pytest.param({"Authorization": f"Bearer {TOKEN[:-1]}"}, id="a shorter token"),
        pytest.param({"Authorization": "Bearer "}, id="an empty token"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, id="another scheme"),
        pytest.param({"Authorization": "Bearer " + "\u00e9" * 20}, id="no ASCII"),
    ],
)
async def test_who_is_not_known_gets_401_and_nothing_is_read(
    keys: Keys, observer: Counted, headers: dict[str, str]
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        status, text, answer = await sender.post("/nowhere", headers=headers)

    assert status == 401
    assert "client certificate" in text
    assert "Authorization: Bearer TOKEN" in text
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Connection"] == "close"
    assert observer.refusals == {(IntakeRefusal.NOT_AUTHENTICATED, ""): 1}
    assert sink.batches == []
    assert observer.held == [0]


async def test_a_certificate_of_the_authority_is_enough(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, keys.trusting(keys.clients.client("apiserver"))) as sender:
        assert (await sender.post(headers={}))[0] == 200
    assert len(sink.batches) == 1


async def test_a_certificate_with_another_name_is_not_enough(keys: Keys, observer: Counted) -> None:
    tls = keys.trusting(keys.clients.client("somebody"))
    async with serving(keys, Taken(), observer, tls, common_names=frozenset({"apiserver"})) as sender:
        assert (await sender.post(headers={}))[0] == 401
        assert (await sender.post())[0] == 200, "the token is enough"


async def test_a_certificate_with_the_right_name_is_enough(keys: Keys, observer: Counted) -> None:
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, Taken(), observer, tls, common_names=frozenset({"apiserver", "other"})) as sender:
        assert (await sender.post(headers={}))[0] == 200


async def test_a_certificate_of_another_authority_ends_in_the_handshake(keys: Keys, observer: Counted) -> None:
    tls = keys.trusting(keys.servers.client("apiserver"))
    async with serving(keys, Taken(), observer, tls) as sender:
        with pytest.raises(aiohttp.ClientError):
            await sender.post()
        await until(lambda: observer.refusals == {(IntakeRefusal.NO_HANDSHAKE, ""): 1})


async def test_a_certificate_counts_for_nothing_if_only_tokens_are_set(keys: Keys, observer: Counted) -> None:
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, Taken(), observer, tls, client_ca=None) as sender:
        assert (await sender.post(headers={}))[0] == 401
        assert (await sender.post())[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/audit/api-1", 405, "Only POST is possible"),
        ("POST", "/", 404, "/audit/SOURCE"),
        ("POST", "/audit", 404, "/lines/SOURCE?format=FORM"),
        ("POST", "/audit/a/b", 404, "There is no such address"),
        ("POST", "/audit/API-1", 400, "'API-1'; write up to 63 small letters"),
        ("POST", "/audit/" + "a" * 64, 400, "write up to 63 small letters"),
        ("POST", "/audit/a%2e", 400, "write up to 63 small letters"),
        ("POST", "/audit/", 400, "write up to 63 small letters"),
        ("POST", "/lines/a", 400, "Write one of Kubernetes, EKS, GKE, AKS."),
        ("POST", "/lines/a?format=eks", 400, "The format is missing or unknown"),
    ],
)
async def test_what_goes_to_no_address_is_told_the_right_one(
    keys: Keys, observer: Counted, method: str, path: str, status: int, words: str
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        answer, text, _ = await sender.post(path, method=method)
        assert (await sender.post())[0] == 200, "the next request is taken"

    assert answer == status
    assert words in text
    assert observer.times(IntakeRefusal.MALFORMED) == 1
    assert len(sink.batches) == 1


async def test_an_empty_body_is_refused(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender:
        status, text, _ = await sender.post(data=b"")
    assert (status, text) == (400, "The body is empty.\n")


async def test_there_are_at_most_64_sources(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender:
        for number in range(64):
            assert (await sender.post(f"/audit/api-{number}"))[0] == 200
        status, text, _ = await sender.post("/audit/one-more")
        assert (status, "There are 64 sources already" in text) == (400, True)
        assert (await sender.post("/audit/api-63"))[0] == 200


async def test_a_body_over_the_limit_is_refused(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, most_body=1000) as sender:
        status, text, answer = await sender.post(data=b"x" * 1001)
        assert (await sender.post(data=b"x" * 1000))[0] == 200

    assert status == 413
    assert "more than 1,000 bytes" in text
    assert "--audit-webhook-batch-max-size" in text
    assert "Retry-After" not in answer
    assert observer.refusals == {(IntakeRefusal.TOO_LARGE, "api-1"): 1}
    assert max(observer.held) <= 1000
    assert observer.held[-1] == 0


async def test_a_body_that_is_said_to_be_huge_is_refused_before_it_is_read(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, most_sent=2000) as sender:
        assert (await sender.post(data=b"x" * 2001))[0] == 413
        assert (await sender.post(data=b"x" * 2000))[0] == 200
    assert observer.held == [0, 0, 2000, 0]


@pytest.mark.parametrize("is_announced", [True, False], ids=["with its length", "without"])
async def test_in_a_body_over_the_limit_long_strings_are_cut_and_the_rest_lives(
    keys: Keys, observer: Counted, is_announced: bool
) -> None:
    """Or else anybody who can send requests to an API server could take away the events of all others."""
    large, small = largest_event().rstrip(), event(1).rstrip()
    body = b'{"items":[' + b",".join([small, large, large, small]) + b"]}"

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 50_000):
            yield body[at : at + 50_000]

    sink = Taken()
    async with serving(keys, sink, observer) as sender:
        assert (await sender.post(data=io.BytesIO(body) if is_announced else chunks()))[0] == 200

    assert len(sink.text) < 600_000
    items = json.loads(sink.text)["items"]
    assert [items[0], items[3]] == [json.loads(small)] * 2
    assert items[1] == items[2]
    assert items[1]["auditID"] == "its-own"
    assert max(observer.held) <= 8 * 2**20
    assert observer.refusals == {}
    assert observer.held[-1] == 0


async def test_a_body_without_a_length_is_cut_at_the_limit(keys: Keys, observer: Counted) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    async with serving(keys, Taken(), observer, most_body=100_000) as sender:
        try:
            status, _, _ = await sender.post(data=endless())
        except aiohttp.ClientError:
            status = 413  # the server no longer reads
        assert (await sender.post())[0] == 200

    assert status == 413
    assert observer.times(IntakeRefusal.TOO_LARGE) == 1
    assert max(observer.held) <= 100_000
    assert observer.held[-1] == 0


async def test_lost_batches_are_logged_once_until_one_is_taken(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, most_body=1000) as sender:
        with structlog.testing.capture_logs() as logs:
            for size in (1001, 1001, 1000, 1001):
                await sender.post(data=b"x" * size)

    assert [line["source"] for line in logs if "may be lost" in line["event"]] == ["api-1", "api-1"]


async def test_a_compressed_body_is_refused_and_not_unpacked(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with serving(keys, sink, observer) as sender:
        status, text, _ = await sender.post(data=bomb, headers=BEARER | {"Content-Encoding": "gzip"})
        assert (await sender.post(data=LIST, headers=BEARER | {"Content-Encoding": "identity"}))[0] == 200

    assert (status, text) == (415, "Compressed bodies are not taken. Send it without Content-Encoding.\n")
    assert sink.bodies == [LIST]


@pytest.mark.parametrize(
    ("error", "status", "retry_after", "reason"),
    [
        pytest.param(Overloaded(1.2, "Behind."), 429, "2", IntakeRefusal.OVERLOADED, id="overloaded"),
        pytest.param(Overloaded(0.0, "Behind."), 429, "1", IntakeRefusal.OVERLOADED, id="overloaded for no time"),
        pytest.param(Overloaded(1e9, "Behind."), 429, "30", IntakeRefusal.OVERLOADED, id="overloaded for ever"),
        pytest.param(IntakeUnavailable("Behind."), 503, "3", IntakeRefusal.UNAVAILABLE, id="unavailable"),
        pytest.param(BatchRefused("Behind."), 400, None, IntakeRefusal.USELESS, id="refused"),
    ],
)
async def test_the_sender_is_told_what_the_sink_says(
    keys: Keys,
    observer: Counted,
    error: Overloaded | IntakeUnavailable | BatchRefused,
    status: int,
    retry_after: str | None,
    reason: IntakeRefusal,
) -> None:
    async with serving(keys, Taken(error), observer) as sender:
        answer, text, headers = await sender.post()
        assert (await sender.post())[0] == 200

    assert (answer, text, headers.get("Retry-After")) == (status, "Behind.\n", retry_after)
    assert observer.refusals == {(reason, "api-1"): 1}
    assert observer.held[-1] == 0


async def test_a_sink_that_takes_too_long_is_unavailable(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer, take_seconds=0.05) as sender:
        status, text, headers = await sender.post()
    assert (status, headers["Retry-After"]) == (503, "3")
    assert "could not be made durable in time" in text
    assert sink.under_way == 0
    assert observer.held[-1] == 0


async def test_a_sink_with_a_bug_stops_nobody_else(
    keys: Keys, observer: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Taken()
    sink.errors.append(ZeroDivisionError())  # type: ignore[arg-type]  # it is no error that a sink may raise
    async with serving(keys, sink, observer) as sender:
        assert (await sender.post())[0] == 500
        assert (await sender.post())[0] == 200
    assert "ZeroDivisionError" in caplog.text


async def test_too_many_bytes_at_once_wait_outside(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    async with serving(keys, sink, observer, most_body=1000, most_held=2000) as sender:
        first = asyncio.create_task(sender.post(data=b"x" * 900))
        await until(lambda: sink.under_way == 1)
        status, text, headers = await sender.post(data=b"x" * 200)
        assert (status, headers["Retry-After"]) == (429, "3")
        assert "Too many bytes wait" in text
        other = asyncio.create_task(sender.post("/audit/api-2", data=b"x" * 1000))
        await until(lambda: sink.under_way == 2)
        assert (await sender.post("/audit/api-3", data=b"x" * 101))[0] == 429
        sink.is_open.set()
        assert [(await first)[0], (await other)[0]] == [200, 200]
        assert (await sender.post(data=b"x" * 200))[0] == 200

    assert observer.refusals == {(IntakeRefusal.OVERLOADED, "api-1"): 1, (IntakeRefusal.OVERLOADED, "api-3"): 1}
    assert max(observer.held) <= 2000
    assert observer.held[-1] == 0


async def test_a_port_that_is_taken_is_one_clear_sentence(keys: Keys, observer: Counted) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(IntakeCannotStart, match=f"Cannot listen on 127.0.0.1, port {port}: Address already in use"):
            await WebhookServer(keys.settings(port=port), Taken(), observer).__aenter__()


def unusable(keys: Keys) -> Iterable[tuple[str, WebhookSettings, str]]:
    folder = keys.folder
    (folder / "empty").write_bytes(b"\n\n")
    (folder / "short").write_bytes(f"{TOKEN}\nsecret\n".encode())
    (folder / "large").write_bytes(b"x" * 300_000)
    yield "no senders", keys.settings(client_ca=None, tokens=None), "set the authority of client certificates, or"
    yield "no file", keys.settings(tokens=folder / "none"), "none cannot be read: No such file"
    yield "a folder", keys.settings(tokens=folder), "cannot be read: Is a directory"
    yield "no token", keys.settings(tokens=folder / "empty"), "empty holds no token. Write one a line"
    yield "a short token", keys.settings(tokens=folder / "short"), "short: line 2 is not a token"
    yield "a large file", keys.settings(client_ca=folder / "large"), "is larger than 262,144 bytes"
    yield "no key", keys.settings(key=keys.certificate), "are not a certificate and its key in PEM"
    yield "no certificates", keys.settings(client_ca=keys.tokens), "tokens holds no certificates in PEM"


async def test_files_that_cannot_be_used_are_one_clear_sentence_at_the_start(keys: Keys, observer: Counted) -> None:
    for why, settings, words in unusable(keys):
        with pytest.raises(IntakeCannotStart) as caught:
            await WebhookServer(settings, Taken(), observer).__aenter__()
        assert words in str(caught.value), why
        assert "secret" not in str(caught.value)


async def test_the_port_is_free_again_afterwards(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender:
        port = sender.server.port
        await sender.post()
    socket.create_server((LOOPBACK, port)).close()


async def test_at_the_end_what_is_under_way_is_answered(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    sending: asyncio.Task[tuple[int, str, dict[str, str]]]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=keys.trusting())) as session:
        async with WebhookServer(keys.settings(), sink, observer) as server:
            sending = asyncio.create_task(Sender(server, session).post())
            await until(lambda: sink.under_way == 1)
            asyncio.get_running_loop().call_later(0.05, sink.is_open.set)
        assert (await sending)[0] == 200
