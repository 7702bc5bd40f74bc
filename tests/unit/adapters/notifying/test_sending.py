"""Sending to real receivers on loopback: those that take a message, refuse it, hang, drip, or answer without end."""

import asyncio
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from curfew.adapters.clock import SystemClock
from curfew.adapters.notifying.exchange import MOST_ANSWER
from curfew.adapters.notifying.sending import AppriseNotifier
from curfew.core.notifications.message import Message
from curfew.ports.notifier import NotSent
from tests.support.builders import ALICE
from tests.support.messages import a_message
from tests.support.receiving import LOOPBACK, Answer, http_receiver, mail_receiver, serving


async def a_notifier(folder: Path, *urls: str, seconds: float = 60.0, **route: Any) -> AppriseNotifier:
    """Return a notifier with one route."""
    path = folder / "routes.yaml"
    path.write_text(yaml.safe_dump({"routes": [{"name": "r", "urls": list(urls), **route}]}))
    notifier = AppriseNotifier(path, SystemClock(), link=None, seconds=seconds)
    assert await notifier.refresh(), notifier.trouble
    return notifier


async def refused(notifier: AppriseNotifier, message: Message) -> NotSent:
    """Return why a message does not go out."""
    (channel,) = notifier.channels(message)
    with pytest.raises(NotSent) as caught:
        await notifier.send(channel, [message])
    return caught.value


async def test_a_webhook_gets_a_message_with_the_command(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        notifier, message = await a_notifier(tmp_path, receiver.url), a_message()
        await notifier.send(notifier.channels(message)[0], [message])

    (got,) = receiver.got
    assert got["title"] == f"Approval needed: {ALICE} asks for ClusterRole payments-debug in payments"
    assert f"\nApprove:\n{message.commands[0].shell}\n" in got["message"]
    assert f"\nDeny:\n{message.commands[1].shell}" in got["message"]


async def test_several_go_out_as_a_digest(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        notifier = await a_notifier(tmp_path, receiver.url)
        many = [a_message(request=f"inc-{number}", uid=f"u{number}") for number in range(60)]
        await notifier.send(notifier.channels(many[0])[0], many)

    (got,) = receiver.got
    assert got["title"] == "60 messages of Curfew"
    assert got["message"].count(f"- Approval needed: {ALICE}") == 50
    assert got["message"].endswith("and 10 more")


async def test_no_flood_hides_a_grave_message_in_a_digest(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        notifier = await a_notifier(tmp_path, receiver.url)
        many = [a_message(request=f"inc-{number}", uid=f"u{number}") for number in range(60)]
        grave = a_message("review.overdue", request="inc-99", uid="u99")
        await notifier.send(notifier.channels(grave)[0], [*many, grave])

    assert receiver.got[0]["message"].startswith("- Not reviewed in time:")


async def test_no_log_holds_the_address_of_a_receiver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A header that cannot be read: urllib3 would write the address into the log.
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header\r\n\r\n{}")
        await writer.drain()

    async with serving(answer) as port:
        notifier, message = await a_notifier(tmp_path, f"json://{LOOPBACK}:{port}/secret-token"), a_message()
        with suppress(NotSent):
            await notifier.send(notifier.channels(message)[0], [message])

    assert "secret-token" not in caplog.text


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(500, False), (503, False), (429, False), (401, False), (404, False), (400, True), (413, True)],
)
async def test_a_refusal_shows_the_answer(tmp_path: Path, status: int, *, is_final: bool) -> None:
    async with http_receiver(Answer(status)) as receiver:
        why = await refused(await a_notifier(tmp_path, receiver.url), a_message())

    assert str(why) == f"The receiver answered {status}."
    assert (why.is_final, why.retry_after) == (is_final, None)


async def test_the_time_that_a_receiver_asks_for_is_known(tmp_path: Path) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    values = ["7", later, "999999999", "soon", "-1", "1e9", "٣"]
    async with http_receiver(*(Answer(429, {"Retry-After": value}) for value in values)) as receiver:
        notifier, message = await a_notifier(tmp_path, receiver.url), a_message()
        found = [(await refused(notifier, message)).retry_after for _ in values]

    assert found[0] == 7
    assert found[1] == pytest.approx(100, abs=10)
    assert found[2:] == [3600, None, None, None, None]


async def test_a_receiver_that_is_not_there_is_named_without_its_address(tmp_path: Path) -> None:
    async with http_receiver() as receiver:
        notifier = await a_notifier(tmp_path, f"{receiver.url}secret-token")

    why = await refused(notifier, a_message())

    assert str(why) == "The receiver could not be reached (ConnectionError)."
    assert "secret" not in repr(why)


async def test_nobody_is_led_elsewhere(tmp_path: Path) -> None:
    async with http_receiver() as other, http_receiver(Answer(307, {"Location": "http://placeholder/"})) as receiver:
        receiver.answers[0].headers["Location"] = f"http://{LOOPBACK}:{other.port}/"
        why = await refused(await a_notifier(tmp_path, receiver.url), a_message())

    assert str(why) == "The receiver answered 307."
    assert other.tried == []


async def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    async with http_receiver(Answer(200, body=b"x" * (MOST_ANSWER + 5000))) as receiver:
        why = await refused(await a_notifier(tmp_path, receiver.url), a_message())

    assert str(why) == "The receiver could not be reached (ConnectionError)."


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a little at a time, for longer than anybody waits."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x" * 4096)
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_an_answer_that_drips_is_cut_off(tmp_path: Path) -> None:
    async with serving(drip) as port:
        notifier = await a_notifier(tmp_path, f"json://{LOOPBACK}:{port}", seconds=0.3)
        await refused(notifier, a_message())


async def test_a_receiver_that_hangs_holds_one_thread_and_no_other_channel(tmp_path: Path) -> None:
    """It sends a letter of its answer again and again, so the connection never seems to be dead."""
    let_go = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not let_go.is_set():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with serving(hang) as port, http_receiver() as good:
        notifier = await a_notifier(tmp_path, f"json://{LOOPBACK}:{port}", good.url, seconds=3)
        message = a_message()
        slow, quick = notifier.channels(message)
        for expected in (
            "The receiver did not answer within 3 s.",
            *["The receiver still has not answered the last message."] * 3,
        ):
            with pytest.raises(NotSent) as caught:
                await notifier.send(slow, [message])
            assert str(caught.value) == expected
        await notifier.send(quick, [message])

        assert len(good.got) == 1
        assert not let_go.is_set()
        threads = [one for one in threading.enumerate() if one.name == "notify r/0"]
        assert [(one.name, one.daemon) for one in threads] == [
            ("notify r/0", True)
        ]  # the end of a process waits for none
        let_go.set()
        await asyncio.to_thread(threads[0].join, 5)
        assert not threads[0].is_alive()


async def test_while_it_sends_the_event_loop_goes_on(tmp_path: Path) -> None:
    hang = asyncio.Event()
    async with http_receiver(Answer(wait=hang)) as receiver:
        notifier, message = await a_notifier(tmp_path, receiver.url, seconds=1), a_message()
        sending = asyncio.create_task(notifier.send(notifier.channels(message)[0], [message]))
        turns = 0
        while not sending.done():
            await asyncio.sleep(0.005)
            turns += 1
        with pytest.raises(NotSent):
            await sending

    assert turns > 5  # a loop that waits for the second has two


# --- mail ---------------------------------------------------------------------------------------------------------------


async def test_a_mail_server_gets_the_message(tmp_path: Path) -> None:
    async with mail_receiver() as receiver:
        notifier, message = await a_notifier(tmp_path, f"{receiver.url}&to={ALICE}"), a_message()
        await notifier.send(notifier.channels(message)[0], [message])

    (mail,) = receiver.got
    assert (mail.sender, mail.receivers) == ("curfew@example.com", [ALICE])


@pytest.mark.parametrize("answer", [b"451 later\r\n", b"554 no\r\n", b""])
async def test_a_mail_that_is_not_taken_is_known(tmp_path: Path, answer: bytes) -> None:
    async with mail_receiver(answer or b"421 closing\r\n") as receiver:
        why = await refused(await a_notifier(tmp_path, f"{receiver.url}&to={ALICE}"), a_message())

    assert (why.is_final, receiver.got) == (False, [])


async def test_mail_goes_to_the_person_it_is_about(tmp_path: Path) -> None:
    async with mail_receiver() as receiver:
        notifier = await a_notifier(tmp_path, receiver.url, toPerson=["example.com"])
        for person in (ALICE, "bob.b+x@example.com"):
            message = a_message("grant.activated", requester=person)
            await notifier.send(notifier.channels(message)[0], [message])

    assert [mail.receivers for mail in receiver.got] == [[ALICE], ["bob.b+x@example.com"]]


@pytest.mark.parametrize(
    "person",
    [
        "alice",
        "alice@evil.example",
        "alice@example.com.evil.example",
        "alice@sub.example.com",
        "a,mallory@evil.example,b@example.com",
        "a\r\nRCPT TO:<mallory@evil.example>@example.com",
        "<mallory@evil.example>@example.com",
        "@example.com",
        "a b@example.com",
        "ä@example.com",
        f"{'a' * 65}@example.com",
        "system:serviceaccount:x:y",
    ],
)
async def test_a_name_that_is_no_address_of_ours_gets_no_mail(tmp_path: Path, person: str) -> None:
    notifier = await a_notifier(tmp_path, "mailto://127.0.0.1:1?from=curfew@example.com", toPerson=["example.com"])

    assert notifier.channels(a_message("grant.activated", requester=person)) == ()
