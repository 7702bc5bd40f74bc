"""Lines of another system are handed over under the name of the mapping that reads them, and open no other door."""

import asyncio
from typing import Any, Final

import pytest

from curfew.adapters.intake.sources import MOST_SOURCES
from curfew.adapters.intake.webhook import IntakeCannotStart
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchRefused, IntakeRefusal
from tests.support.intake import LINES_TOKEN, OTHER_TOKEN, TOKEN, Counted, Keys, Taken, until
from tests.support.sending import BEARER, serving

LINES: Final = "/lines/db-1?mapping=ledger"
OF_LINES: Final = {"Authorization": f"Bearer {LINES_TOKEN}"}
LEDGER: Final[dict[str, Any]] = {"systems": frozenset({"ledger"})}


async def test_lines_are_handed_over_with_their_mapping(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, **LEDGER) as sender:
        assert (await sender.post(LINES, b"{}\n{}", OF_LINES))[0] == 200

    assert sink.batches == [Batch("db-1", Form.KUBERNETES, b"{}\n{}", is_lines=True, mapping="ledger")]


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("mapping=other", 404, "There is no mapping of that name"),
        ("mapping=", 404, "There is no mapping of that name"),
        ("mapping=ledger&format=Kubernetes", 400, "There is a format and a mapping"),
    ],
)
async def test_a_mapping_that_is_not_set_is_refused_and_nothing_is_lost(
    keys: Keys, observer: Counted, query: str, status: int, told: str
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, **LEDGER) as sender:
        answer = await sender.post(f"/lines/db-1?{query}", b"{}", OF_LINES)

    assert answer[0] == status
    assert told in str(answer)
    assert sink.batches == []
    assert observer.refusals == {(IntakeRefusal.MALFORMED, ""): 1}


@pytest.mark.parametrize(
    "path",
    ["/audit/api-1?timeout=30s", "/audit/api-1?mapping=ledger", "/lines/api-1?format=Kubernetes", "/lines/api-1"],
)
async def test_who_sends_lines_of_another_system_cannot_send_audit_events(
    keys: Keys, observer: Counted, path: str
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, **LEDGER) as sender:
        status, told, _ = await sender.post(path, headers=OF_LINES)

    assert (status, "intake.webhook.tokenFile" in told) == (403, True)
    assert sink.batches == []
    assert observer.refusals == {(IntakeRefusal.NOT_ALLOWED, ""): 1}


async def test_who_sends_audit_events_cannot_send_lines_of_another_system(keys: Keys, observer: Counted) -> None:
    sink = Taken()
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, sink, observer, tls, **LEDGER) as sender:
        answers = [await sender.post(LINES, b"{}", headers) for headers in ({}, BEARER)]

    assert [(status, "intake.webhook.linesTokenFile" in told) for status, told, _ in answers] == [(403, True)] * 2
    assert sink.batches == []
    assert observer.refusals == {(IntakeRefusal.NOT_ALLOWED, ""): 2}


async def test_a_certificate_and_the_token_for_lines_open_both(keys: Keys, observer: Counted) -> None:
    tls = keys.trusting(keys.clients.client("apiserver"))
    async with serving(keys, Taken(), observer, tls, **LEDGER) as sender:
        assert (await sender.post(headers=OF_LINES))[0] == 200
        assert (await sender.post(LINES, b"{}", OF_LINES))[0] == 200


async def test_without_a_token_for_them_no_lines_are_taken_and_the_answer_names_the_setting(
    keys: Keys, observer: Counted
) -> None:
    sink = Taken()
    async with serving(keys, sink, observer, lines_tokens=None, **LEDGER) as sender:
        status, told, _ = await sender.post(LINES, b"{}")
        assert (await sender.post(LINES, b"{}", OF_LINES))[0] == 401

    assert status == 403
    assert "none is set. Set intake.webhook.linesTokenFile" in told
    assert sink.batches == []


async def test_a_new_token_for_lines_is_used_without_a_restart(keys: Keys, observer: Counted) -> None:
    async with serving(keys, Taken(), observer, **LEDGER) as sender:
        keys.lines_tokens.write_text(f"{OTHER_TOKEN}\n")

        async def status(token: str) -> int:
            return (await sender.post(LINES, b"{}", {"Authorization": f"Bearer {token}"}))[0]

        statuses = [await status(OTHER_TOKEN)]
        while statuses[-1] != 200 and len(statuses) < 1000:
            statuses.append(await status(OTHER_TOKEN))
        assert set(statuses) <= {401, 200}
        assert (statuses[-1], await status(LINES_TOKEN)) == (200, 401)


async def test_one_token_for_both_is_refused_at_the_start_and_ignored_later(keys: Keys, observer: Counted) -> None:
    both = "hold the same token. Make another one for lines of other systems"
    async with serving(keys, Taken(), observer, **LEDGER) as sender:
        keys.lines_tokens.write_text(f"{LINES_TOKEN}\n{TOKEN}\n")
        await until(lambda: both in sender.server.trouble)
        assert (await sender.post(LINES, b"{}"))[0] == 403
    with pytest.raises(IntakeCannotStart, match=both):
        async with serving(keys, Taken(), observer, **LEDGER):
            pass


async def test_lines_of_other_systems_make_no_hole_in_the_feed_of_the_api_servers(
    keys: Keys, observer: Counted
) -> None:
    """A refusal that is counted without a source makes none."""
    async with serving(keys, Taken(BatchRefused("It is of no use.")), observer, **LEDGER) as sender:
        assert (await sender.post("/lines/api-1?mapping=ledger", b"{}", OF_LINES))[0] == 400
        assert (await sender.post("/lines/api-1?mapping=ledger", b"{}", {**OF_LINES, "Content-Encoding": "gzip"}))[
            0
        ] == 415

    assert observer.refusals == {(IntakeRefusal.USELESS, ""): 1, (IntakeRefusal.COMPRESSED, ""): 1}


async def test_other_systems_take_no_names_and_no_memory_away_from_the_api_servers(
    keys: Keys, observer: Counted
) -> None:
    body, sink = b"x" * 1000, Taken()
    async with serving(keys, sink, observer, most_held=3 * len(body), **LEDGER) as sender:
        for number in range(MOST_SOURCES):
            assert (await sender.post(f"/lines/db-{number}?mapping=ledger", b"{}", OF_LINES))[0] == 200
        assert (await sender.post("/lines/one-more?mapping=ledger", b"{}", OF_LINES))[0] == 400
        sink.is_open.clear()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(sender.post("/lines/db-1?mapping=ledger", body, OF_LINES))
            await until(lambda: sink.under_way == 1)
            assert (await sender.post("/lines/db-2?mapping=ledger", body, OF_LINES))[0] == 429
            event = group.create_task(sender.post("/audit/api-1", body))
            await until(lambda: sink.under_way == 2)
            sink.is_open.set()
        assert (first.result()[0], event.result()[0]) == (200, 200)
