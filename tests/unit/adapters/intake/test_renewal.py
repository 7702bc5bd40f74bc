"""Certificates, authorities and tokens that are exchanged while the server runs."""

import asyncio
import shutil
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import structlog

from curfew.adapters.intake import credentials
from curfew.adapters.intake.credentials import CredentialFiles
from curfew.adapters.intake.tokens import is_bearer
from tests.support.intake import OTHER_TOKEN, TOKEN, Counted, Keys, Taken, until
from tests.support.sending import Sender, serving
from tools.servers.pki import Authority
from tools.servers.ports import LOOPBACK


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def status(sender: Sender, token: str = TOKEN) -> int:
    return (await sender.post(headers=bearer(token)))[0]


async def until_status(sender: Sender, token: str, wanted: int) -> None:
    async with asyncio.timeout(10):
        while await status(sender, token) != wanted:
            pass


async def other_than_200(sender: Sender) -> int:
    async with asyncio.timeout(10):
        while (answer := (await sender.post(headers={}))[0]) == 200:
            pass
    return answer


async def serial(keys: Keys, sender: Sender) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection(LOOPBACK, sender.server.port, ssl=keys.trusting())
    try:
        return str(writer.get_extra_info("peercert")["serialNumber"])
    finally:
        writer.transport.abort()


@pytest.fixture
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


async def test_old_and_new_token_are_valid_together_while_they_are_exchanged(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender:
        assert [await status(sender, TOKEN), await status(sender, OTHER_TOKEN)] == [200, 401]
        keys.tokens.write_text(f"{TOKEN}\n{OTHER_TOKEN}\n")
        await until_status(sender, OTHER_TOKEN, 200)
        assert await status(sender, TOKEN) == 200
        keys.tokens.write_text(f"{OTHER_TOKEN}\n")
        await until_status(sender, TOKEN, 401)
        assert await status(sender, OTHER_TOKEN) == 200


@pytest.mark.parametrize("before", [b"not a key", b"-----BEGIN PRIVATE KEY-----\nMC"])
def test_files_that_are_written_while_they_are_read_wait_for_the_next_look(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    """Neither are they in use under the fingerprint of others, nor is there trouble that is over already."""
    files, key = CredentialFiles(keys.settings()), keys.folder / "tls.key"
    files.load()
    used, good, real = files.current, key.read_bytes(), credentials._tls
    key.write_bytes(before)
    files.look()

    def written_first(*arguments: Any) -> ssl.SSLContext:
        key.write_bytes(good)
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "_tls", written_first)
        assert not files.look()

    assert [files.look(), files.look()] == [False, False]
    assert files.current is used


async def test_a_new_certificate_is_shown_to_new_connections(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer) as sender:
        old = await serial(keys, sender)
        keys.issue()
        async with asyncio.timeout(10):
            while await serial(keys, sender) == old:
                pass
        assert await status(sender) == 200


async def test_who_was_known_by_an_authority_that_is_no_longer_set_is_known_no_longer(
    keys: Keys, observer: Counted
) -> None:
    """Their connection is ended, or a request that has begun on it is refused; and they cannot open another one."""
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, Taken(), observer, tls) as sender:
        assert (await sender.post(headers={}))[0] == 200
        keys.ca.write_bytes(Authority("others").certificate)
        with suppress(aiohttp.ClientError):
            assert await other_than_200(sender) == 401
        with pytest.raises(aiohttp.ClientError):
            await sender.post(headers={})


async def test_a_request_under_way_is_answered_although_the_credentials_are_new(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    sink.is_open.clear()
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, sink, observer, tls) as sender:
        sending = asyncio.create_task(sender.post(headers={}))
        await until(lambda: sink.under_way == 1)
        old = await serial(keys, sender)
        keys.issue()
        async with asyncio.timeout(10):
            while await serial(keys, sender) == old:
                pass
        sink.is_open.set()
        answer, _, headers = await sending
        assert (answer, headers["Connection"]) == (200, "close")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("tokens", None, "tokens cannot be read: No such file", id="a file that is gone"),
        pytest.param("tokens", b"", "tokens holds no token", id="an empty file"),
        pytest.param("tokens", b"\xff" * 20, "tokens: line 1 is not a token", id="bytes"),
        pytest.param(
            "tls.key", b"-----BEGIN PRIVATE KEY-----\nMC", "are not a certificate and its key", id="half a key"
        ),
        pytest.param(
            "clients.crt", b"-----BEGIN CERTIFICATE-----\n", "clients.crt holds no certif", id="half an authority"
        ),
        pytest.param("tls.crt", b"x" * 300_000, "is larger than 262,144 bytes", id="a large file"),
    ],
)
async def test_a_bad_new_file_changes_nothing_and_is_reported_once(
    keys: Keys,
    observer: Counted,
    logs: list[structlog.typing.EventDict],
    name: str,
    content: bytes | None,
    words: str,
) -> None:
    path = keys.folder / name
    kept = path.read_bytes()
    async with serving(keys, Taken(), observer) as sender:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        await until(lambda: sender.server.trouble)
        assert words in sender.server.trouble
        for _ in range(5):
            assert await status(sender) == 200
            await asyncio.sleep(0.02)  # a look
        path.write_bytes(kept)
        await until(lambda: not sender.server.trouble)
        assert await status(sender) == 200

    assert [line["event"] for line in logs] == [
        "new credentials cannot be used; the old ones stay in use",
        "the files of the credentials can be used again",
    ]
    assert TOKEN not in str(logs)


async def test_a_certificate_and_a_key_that_do_not_belong_together_change_nothing(
    keys: Keys, observer: Counted
) -> None:
    async with serving(keys, Taken(), observer) as sender:
        old = await serial(keys, sender)
        key = keys.key.read_bytes()
        keys.issue()
        new = keys.key.read_bytes()
        keys.key.write_bytes(key)
        await until(lambda: "are not a certificate and its key" in sender.server.trouble)
        assert await serial(keys, sender) == old
        keys.key.write_bytes(new)
        await until(lambda: not sender.server.trouble)
        assert await serial(keys, sender) != old


def test_a_file_that_is_being_written_is_left_alone(keys: Keys) -> None:
    """A token that was written half would be a token, too."""
    files = CredentialFiles(keys.settings())
    files.load()
    used = files.current
    for written in range(len(OTHER_TOKEN)):
        keys.tokens.write_text(OTHER_TOKEN[:written])
        assert not files.look()
        assert files.current is used
    keys.tokens.write_text(OTHER_TOKEN)
    assert [files.look(), files.look()] == [False, True]
    assert is_bearer(f"Bearer {OTHER_TOKEN}", files.current.tokens)


async def test_files_are_exchanged_as_kubelet_does_it(keys: Keys, observer: Counted) -> None:
    """All at once, by a link to another folder."""
    first, second = keys.folder / "..1", keys.folder / "..2"
    for folder in (first, second):
        folder.mkdir()
        for path in (keys.certificate, keys.key, keys.ca, keys.tokens):
            shutil.copy(path, folder)
    (second / "tokens").write_text(OTHER_TOKEN)
    link = keys.folder / "..data"
    link.symlink_to(first)
    for path in (keys.certificate, keys.key, keys.ca, keys.tokens):
        path.unlink()
        path.symlink_to(link / path.name)

    async with serving(keys, Taken(), observer) as sender:
        assert await status(sender) == 200
        other = keys.folder / "..tmp"
        other.symlink_to(second)
        other.rename(link)
        await until_status(sender, OTHER_TOKEN, 200)
        assert await status(sender) == 401
