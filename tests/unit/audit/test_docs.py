"""The specification says what the code does: events, fields, and what can be typed."""

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import pytest

from curfew.audit.api_call import ApiCall
from curfew.audit.canonical import canonical
from curfew.audit.checkpoint import open_note
from curfew.audit.events import EVENTS
from curfew.audit.proof import _FIELDS
from curfew.audit.record import Source, Story, make_record, record_id
from curfew.audit.segment import _SEAL_FIELDS
from tests.support.logs import BEGIN, a_record
from tests.vectors.make_vectors import the_log

VECTORS = Path(__file__).parents[2] / "vectors"
PAGE = (Path(__file__).parents[3] / "docs" / "audit-record.md").read_text()


def part(heading: str) -> str:
    """Return what stands under a heading, up to the next."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def fields(heading: str) -> set[str]:
    """Return the names in the first column of the table under a heading."""
    rows = re.findall(r"^\| (`.*?) \|", part(heading), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_table_of_events_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (\w+) \| (.+) \|$", part("Events"), re.MULTILINE)

    assert rows == [(event.name, event.code, event.meaning) for event in EVENTS.values()]


def test_each_event_says_when_it_is_written_by_whom_and_with_which_detail() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.+?) \| (.+?) \| (.*?) ?\| (.+) \|$", PAGE, re.MULTILINE)
    of_a_call = fields("What the record of a call holds")
    told = {
        event: of_a_call if "#what-the-record-of-a-call-holds" in detail else set(re.findall(r"`(\w+)`", detail))
        for event, _, _, detail, _ in rows
    }

    assert len(rows) == len(told)
    assert told == {event.name: set(event.detail) for event in EVENTS.values()}


def test_each_field_of_a_source_is_there() -> None:
    (row,) = re.findall(r"^\| `source` \|.*$", part("Our own block"), re.MULTILINE)

    assert {f"`{field.name}`" for field in dataclasses.fields(Source)} == set(re.findall(r"`\w+`", row)) - {"`source`"}


def test_each_field_of_a_story_is_there() -> None:
    assert fields("The story") == {field.name for field in dataclasses.fields(Story)}


def test_each_field_of_a_seal_is_there() -> None:
    assert fields("The seal") == set(_SEAL_FIELDS)


def test_each_field_of_a_proof_is_there() -> None:
    assert fields("A proof") == set(_FIELDS)


def test_each_field_of_a_record_is_there() -> None:
    story = Story(uid="u", namespace="n", request="r")
    source = Source(addresses=("192.0.2.7",), user_agent="kubectl/v1.37.2", audit_ids=("a-1",))
    entity = make_record(
        "request.closed",
        at=BEGIN,
        actor="system:curfew",
        message="it",
        story=story,
        detail={"phase": "Denied"},
        source=source,
    )
    access = a_record()
    call = make_record(
        "call.read",
        at=BEGIN,
        actor="alice@example.com",
        message="it",
        story=story,
        call=ApiCall("get", "a-1", resource="pods"),
        source=source,
    )

    assert fields("A record") == {*entity.body, *access.body, *call.body, "finding_info"} - {"unmapped"} | {
        "unmapped.curfew"
    }
    assert fields("Our own block") == set(entity.block)


def test_the_example_of_a_record_is_one() -> None:
    example = re.search(r"```json\n(.*?)```", part("A record"), re.DOTALL)
    assert example is not None

    assert canonical(json.loads(example[1])) in (VECTORS / "records_v1.jsonl").read_bytes().splitlines()


def test_the_example_of_an_id_is_what_it_says() -> None:
    assert record_id("6f1e8c1e", "grant.intended") in part("Our own block")


def test_the_example_of_an_id_can_be_typed() -> None:
    command = re.search(r"```sh\n(.*?)\s*#.*?```", part("Our own block"), re.DOTALL)
    assert command is not None

    told = subprocess.run(["/bin/sh", "-c", command[1]], capture_output=True, text=True, check=True)  # noqa: S603  ours

    assert told.stdout.strip() == record_id("6f1e8c1e", "grant.intended")


def test_the_example_of_a_checkpoint_opens() -> None:
    note = re.search(r"```\n(curfew\.dev/.*?)```", part("Receipts, checkpoints, keys"), re.DOTALL)
    assert note is not None

    assert open_note(note[1], the_log().verifier) == the_log().head.checkpoint


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    if not target.startswith("https://"):
        assert (Path(__file__).parents[3] / "docs" / target).exists(), target


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([^)]+)\)", PAGE))
def test_links_within_the_page_lead_somewhere(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)

    assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
