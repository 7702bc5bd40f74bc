"""What an auditor types and reads: exit codes and sentences of `curfew audit`."""

import asyncio
import functools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from curfew.audit.checkpoint import Checkpoint, sign_note
from curfew.audit.events import EVENTS
from curfew.audit.query import Query
from curfew.audit.record import Story, make_record
from curfew.audit.segment import Head
from curfew.audit.walk import Walk
from curfew.audit.wording import NO_ANCHOR, NO_KEY, printable
from curfew.cli import main
from curfew.cli.audit import audit, console, tail
from curfew.cli.audit.verdict import RESUMED
from curfew.ports import ObjectMissing, StoreUnavailable
from curfew.reader import parallel
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer, opened
from tests.support.stores import MemoryStore

Run = Callable[..., Result]


@pytest.fixture
def log() -> ALog:
    """Return a log of four segments, the third a heartbeat, with six records."""
    return a_log(1, 2, 0, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that the log lies in."""
    return tmp_path / "trail"


@pytest.fixture
def run(log: ALog, folder: Path) -> Run:
    """Return what runs `curfew audit` on the log as it is then."""

    def run(name: str, *arguments: str, at: str | None = None) -> Result:
        for object_name, stored in log.objects.items():
            path = folder / object_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored)
        return CliRunner().invoke(main, ["audit", name, at or str(folder), *arguments], prog_name="curfew")

    return run


def key_of(log: ALog) -> str:
    return str(log.verifier)


# --- a log that is whole


def test_a_whole_log_verifies(run: Run, log: ALog, folder: Path) -> None:
    result = run("verify", "--key", key_of(log), "--anchor", log.receipt(5).compact())

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"Verified: log main at file://{folder}",
        "  Holds    6 records in 4 segments",
        "  Sealed   from 2026-11-23 23:58:30 UTC to 2026-11-24 00:01:30 UTC",
        "  Alive    1 segment without records, written as a sign of life",
        "  Silence  at most 60 s, from 2026-11-23 23:58:30 UTC",
        f"  Head     segment 3, root {log.head.range.root().hex()}",
        f"  Key      {key_of(log)}",
        "  Anchors  1; the newest covers 6 records",
    ]


def test_a_folder_may_be_given_as_an_address(run: Run, folder: Path) -> None:
    assert run("verify", at=f"file://{folder}").exit_code == 0


def test_without_a_key_it_says_what_is_not_shown(run: Run, log: ALog) -> None:
    result = run("verify")

    assert result.exit_code == 0
    assert key_of(log) in result.stdout  # the one that the log names itself
    assert f"Note: {NO_KEY}" in result.stdout.splitlines()


def test_without_an_anchor_it_says_that_the_end_is_not_proved(run: Run, log: ALog) -> None:
    assert f"Note: {NO_ANCHOR}" in run("verify", "--key", key_of(log)).stdout.splitlines()


def test_with_an_old_anchor_it_says_how_far_it_reaches(run: Run, log: ALog) -> None:
    result = run("verify", "--anchor", log.receipt(2).compact())

    assert "The anchors cover the first 3 records. If the 3 records after them were cut off, nothing" in result.stdout
    assert NO_ANCHOR not in result.stdout


def test_json_says_the_same_to_programs(run: Run, log: ALog, folder: Path) -> None:
    result = run("verify", "-o", "json", "--anchor", log.receipt(5).compact())

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "verified": True,
        "log": "main",
        "location": f"file://{folder}",
        "findings": [],
        "read": {
            "segments": 4,
            "records": 6,
            "heartbeats": 1,
            "firstAt": "2026-11-23T23:58:30+00:00",
            "lastAt": "2026-11-24T00:01:30+00:00",
            "longestSilence": {
                "seconds": 60.0,
                "since": "2026-11-23T23:58:30+00:00",
                "until": "2026-11-23T23:59:30+00:00",
            },
            "begins": None,
            "head": {"segment": 3, "size": 6, "root": log.head.range.root().hex()},
            "anchors": 1,
            "keys": [{"key": key_of(log), "fromSegment": 0, "fromRecord": 0}],
            "segmentsVerifiedBefore": 0,
            "voided": [],
        },
        "key": key_of(log),
        "keyWasGiven": False,
        "anchoredRecords": 6,
        "notes": [NO_KEY],
    }


def test_a_key_may_come_from_a_file(run: Run, log: ALog, tmp_path: Path) -> None:
    (tmp_path / "curfew.pub").write_text(f"{key_of(log)}\n")

    result = run("verify", "--key-file", str(tmp_path / "curfew.pub"))

    assert result.exit_code == 0
    assert NO_KEY not in result.stdout


def test_the_log_that_comes_with_the_specification_verifies() -> None:
    """tests/vectors/README.md names this command."""
    vectors = Path(__file__).parents[2] / "vectors"
    told = json.loads((vectors / "log_v1.json").read_text())
    anchors = [part for receipt in told["receipts"] for part in ("--anchor", receipt)]

    result = CliRunner().invoke(
        main, ["audit", "verify", str(vectors / "log_v1"), "--key", told["verifierKey"], *anchors]
    )

    assert result.exit_code == 0
    assert told["heads"][-1]["root"] in result.stdout
    assert "Note:" not in result.stdout


# --- anchors, in each of their forms


def anchor_texts(log: ALog, index: int) -> dict[str, str]:
    """Return all that can be given as an anchor for one record."""
    receipt = log.receipt(index)
    head = next(head for head in log.heads if head.range.size == receipt.size)
    return {
        "compact": receipt.compact(),
        "JSON": json.dumps(receipt.to_json()),
        "request": json.dumps({"status": {"grant": {"binding": "b", "receipt": receipt.to_json()}}}, indent=2),
        "checkpoint": sign_note(head.checkpoint, log.signer),
    }


@pytest.mark.parametrize("form", ["compact", "JSON", "request", "checkpoint"])
@pytest.mark.parametrize("in_file", [True, False], ids=["in a file", "as an argument"])
def test_an_anchor_has_many_forms_and_each_finds_a_log_that_was_cut_off(
    run: Run, log: ALog, tmp_path: Path, form: str, in_file: bool
) -> None:
    anchor = anchor_texts(log, 5)[form]
    if in_file:
        (tmp_path / "kept").write_text(anchor)
        anchor = str(tmp_path / "kept")
    assert run("verify", "--anchor", anchor).exit_code == 0
    (tmp_path / "trail" / log.names[3]).unlink()
    del log.objects[log.names[3]]

    result = run("verify", "--anchor", anchor)

    assert result.exit_code == 1
    assert "Log main was cut off at its end: the " in result.stdout
    assert "covers 6 records, and the log has only 3." in result.stdout


def test_a_log_that_was_written_anew_with_the_same_key_is_found_with_an_anchor(run: Run, log: ALog) -> None:
    before = ALog()
    before.append([a_record(9)])

    result = run("verify", "--anchor", before.receipt(0).compact())

    assert result.exit_code == 1
    assert "Log main was rewritten: the receipt of record 0 covers other records among the first 1." in result.stdout


def test_a_checkpoint_of_another_key_shows_that_the_log_was_replaced(run: Run, log: ALog) -> None:
    """Without --key a log can name any key; a checkpoint that was kept knows the right one."""
    kept = sign_note(log.head.checkpoint, a_signer(seed=9))

    result = run("verify", "--anchor", kept)

    assert result.exit_code == 1
    assert "the checkpoint does not belong to this log: it is not signed by key curfew.dev/log/main" in result.stdout


def test_an_anchor_shows_that_a_whole_log_is_gone(run: Run, log: ALog, folder: Path) -> None:
    kept = log.receipt(0).compact()
    log.objects.clear()
    folder.mkdir()

    result = run("verify", "--anchor", kept)

    assert result.exit_code == 1
    assert "Log main is gone: an anchor covers it, but no segment is there." in result.stdout


# --- a log that is not whole


def test_the_first_bad_place_is_named_and_the_others_counted(run: Run, log: ALog) -> None:
    for seq in (1, 3):
        name = log.names[seq]
        log.objects[name] = log.objects[name][:-1]

    result = run("verify", "--key", key_of(log))

    assert result.exit_code == 1
    assert result.stdout.startswith("NOT VERIFIED: log main at ")
    assert f"  Segment 1 ({log.names[1]}) does not end with a signature: it was cut off or altered" in result.stdout
    assert "  1 more problem; use --all to show them." in result.stdout
    assert "Segment 3" not in result.stdout


def test_all_bad_places_are_named_on_request(run: Run, log: ALog) -> None:
    for seq in (1, 3):
        name = log.names[seq]
        log.objects[name] = log.objects[name][:-1]

    result = run("verify", "--key", key_of(log), "--all")

    assert f"Segment 1 ({log.names[1]})" in result.stdout
    assert f"Segment 3 ({log.names[3]})" in result.stdout


def test_json_says_where_to_programs(run: Run, log: ALog) -> None:
    log.objects[log.names[1]] = log.objects[log.names[1]][:-1]

    findings = json.loads(run("verify", "-o", "json").stdout)["findings"]

    assert [(one["kind"], one["segment"], one["object"]) for one in findings] == [("altered", 1, log.names[1])]
    assert findings[0]["records"] == [1, 2]


@pytest.mark.parametrize("with_key", [True, False], ids=["with the key", "without a key"])
@pytest.mark.parametrize("index", [0, 100, -1], ids=["first byte", "a byte in between", "last byte"])
def test_the_first_segment_has_no_place_to_hide_in(run: Run, log: ALog, with_key: bool, index: int) -> None:
    """Without --key the key comes from the first segment, so altering that is found in another way."""
    stored = bytearray(log.objects[log.names[0]])
    stored[index] ^= 1
    log.objects[log.names[0]] = bytes(stored)

    result = run("verify", *(("--key", key_of(log)) if with_key else ()))

    assert result.exit_code == 1
    assert f"Segment 0 ({log.names[0]}) " in result.stdout


def test_a_log_without_its_beginning_is_found_without_a_key(run: Run, log: ALog) -> None:
    name = log.names[0]
    del log.objects[name]

    result = run("verify")

    assert result.exit_code == 1
    assert f"Segment 0 ({name}) is missing: the first segment present is 1, and nothing states" in result.stdout
    assert json.loads(run("verify", "-o", "json").stdout)["findings"][0]["kind"] == "missing"


@pytest.mark.parametrize("name", ["verify", "tail"])
def test_a_log_that_names_the_key_of_another_is_not_believed(run: Run, log: ALog, name: str) -> None:
    log.objects.clear()
    log.heads[1:] = []
    log.append([opened(a_signer("other"))])

    result = run(name)

    assert result.exit_code == 1
    assert "names a key of curfew.dev/log/other, which is another log." in result.output


def test_an_object_that_is_no_segment_is_named_without_commanding_the_terminal(run: Run, log: ALog) -> None:
    log.objects["v1/log=main/\x1b[31mred"] = b""

    result = run("verify")

    assert result.exit_code == 1
    assert "v1/log=main/\\x1b[31mred does not belong to log main" in result.stdout


# --- commands that are wrong, and logs that cannot be read


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--key", "a+b"], "a verifier key has the form name+hash+base64", id="half a key"),
        pytest.param(
            ["--key", "-----BEGIN PRIVATE KEY-----"],
            "this is a private key, which nobody but Curfew should have",
            id="a private key",
        ),
        pytest.param(["--key", "a+b+ü"], "is not base64", id="a key in no alphabet"),
        pytest.param(
            ["--key", str(a_signer("other").verifier)], "The key belongs to curfew.dev/log/other", id="other log's key"
        ),
        pytest.param(["--key", "x", "--key-file", __file__], "Give --key or --key-file, not both.", id="two keys"),
        pytest.param(["--key-file", "missing"], "'missing' does not exist", id="no key file"),
        pytest.param(["--anchor", "missing.json"], "there is no file of that name", id="no anchor file"),
        pytest.param(["--anchor", __file__], "The anchor in test_audit.py cannot be used", id="a file with no anchor"),
        pytest.param(["--anchor", "{}"], "The anchor cannot be used", id="JSON of something else"),
        pytest.param(["--anchor", "{" * 20_000], "The anchor cannot be used", id="JSON without end"),
        pytest.param(
            ["--anchor", f"other/0/1/{'0' * 64}"], "The receipt belongs to log other", id="a receipt of another log"
        ),
        pytest.param(
            ["--anchor", f"main/1/1/{'0' * 64}"], "index 1 is not in a log of 1 records", id="a receipt of nothing"
        ),
        pytest.param(["-o", "yaml"], "'yaml' is not one of 'table', 'json'", id="an unknown output"),
    ],
)
def test_a_wrong_command_is_told_how_it_is_wrong(run: Run, arguments: list[str], sentence: str) -> None:
    result = run("verify", *arguments)

    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["verify", "tail"])
@pytest.mark.parametrize(
    ("location", "exit_code", "sentence"),
    [
        pytest.param("http://host/x", 2, "http://host/x is neither a folder nor an address", id="another scheme"),
        pytest.param("/missing/folder", 3, "There is no folder /missing/folder.", id="no such folder"),
        pytest.param("s3://", 3, "s3:// names no bucket", id="no bucket"),
    ],
)
def test_a_location_that_cannot_be_read_is_not_called_tampering(
    run: Run, name: str, location: str, exit_code: int, sentence: str
) -> None:
    result = run(name, at=location)

    assert result.exit_code == exit_code
    assert sentence in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["verify", "tail"])
def test_a_log_that_is_not_there_is_told_from_those_that_are(run: Run, name: str) -> None:
    result = run(name, "--log", "mian")

    assert result.exit_code == 3
    assert "There is no log mian at " in result.stderr
    assert "The logs there: main. Choose one with --log." in result.stderr


def test_a_folder_without_logs_is_told_what_to_give(run: Run, log: ALog, folder: Path) -> None:
    log.objects.clear()
    folder.mkdir()

    result = run("verify")

    assert result.exit_code == 3
    assert "or the folder that holds v1/" in result.stderr


# --- keys


def test_it_says_which_key_has_sealed_which_part(run: Run, log: ALog) -> None:
    first = key_of(log)
    log.hand_over(a_signer(seed=2))
    log.append([a_record(7)])

    for key in (first, key_of(log)):
        result = run("verify", "--key", key)

        assert result.exit_code == 0, result.output
        assert [line for line in result.stdout.splitlines() if line.startswith("  Key")] == [
            f"  Key      {first}, segments 0 to 4",
            f"  Key      {key_of(log)}, segments 5 to 5",
        ]


def test_a_checkpoint_may_be_of_any_of_the_keys(run: Run, log: ALog, tmp_path: Path) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text(sign_note(log.head.checkpoint, log.signer))
    log.hand_over(a_signer(seed=2))
    log.append([a_record(7)])
    new.write_text(sign_note(log.head.checkpoint, log.signer))

    result = run("verify", "--key", key_of(log), "--anchor", str(old), "--anchor", str(new))

    assert result.exit_code == 0, result.output
    assert "  Anchors  2; the newest covers 8 records" in result.stdout


# --- what was verified before


@pytest.fixture
def saved(run: Run, log: ALog, tmp_path: Path) -> Path:
    """Return the file that a verification of the log has saved."""
    file = tmp_path / "seen.json"
    assert run("verify", "--key", key_of(log), "--save", str(file)).exit_code == 0
    return file


def test_a_saved_state_is_gone_on_from_and_saved_again(run: Run, log: ALog, folder: Path, saved: Path) -> None:
    log.hand_over(a_signer(seed=2), [a_record(7)])
    log.append([a_record(8)])
    for name in log.names[:3]:
        (folder / name).write_bytes(b"not read again")
        log.objects.pop(name)

    result = run("verify", "--resume", str(saved), "--save", str(saved))

    assert result.exit_code == 0, result.output
    assert "  Holds    9 records in 6 segments" in result.stdout
    assert "  Read     2 segments now; the others were verified before" in result.stdout
    assert RESUMED in result.stdout
    assert NO_KEY not in result.stdout

    log.append([a_record(9)])
    result = run("verify", "--resume", str(saved))
    assert result.exit_code == 0, result.output
    assert "  Holds    10 records in 7 segments" in result.stdout
    assert "If the 1 record after them were cut off, nothing would show it" in result.stdout


def test_a_log_that_has_not_grown_extends_what_was_saved(run: Run, saved: Path) -> None:
    before = saved.read_text()

    assert run("verify", "--resume", str(saved), "--save", str(saved)).exit_code == 0
    assert saved.read_text() == before


def rewrite(log: ALog) -> None:
    """Write another history with the same key, as long as the one that was."""
    anew = a_log(1, 2, 0)
    anew.append([a_record(77), a_record(78), a_record(79)])
    log.objects.clear()
    log.objects.update(anew.objects)


def cut(log: ALog) -> None:
    """Remove the last segment."""
    log.objects.popitem()


def damage_what_came(log: ALog) -> None:
    """Append a segment and alter it."""
    name = log.append([a_record(7)])
    log.objects[name] = log.objects[name][:-1]


def lose_an_old_one(log: ALog) -> None:
    """Remove a segment that was verified before."""
    del log.objects[log.names[1]]


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        (rewrite, "differs from the one in the saved state: the log was rewritten"),
        (cut, "which is in the saved state, is missing"),
        (damage_what_came, "Segment 4 ("),
        (lose_an_old_one, "no longer holds 1 segment of the saved state"),
        (lambda log: log.objects.clear(), "is gone: a saved state covers it"),
    ],
)
def test_a_log_that_does_not_extend_what_was_saved_is_found(
    run: Run, log: ALog, folder: Path, saved: Path, attack: Callable[[ALog], None], sentence: str
) -> None:
    attack(log)
    shutil.rmtree(folder)
    folder.mkdir()
    before = saved.read_text()

    result = run("verify", "--resume", str(saved), "--save", str(saved))

    assert result.exit_code == 1
    assert sentence in result.stdout
    assert f"Nothing was saved in {saved}, because the log does not verify." in result.stderr
    assert saved.read_text() == before


def test_a_saved_state_is_an_anchor(run: Run, log: ALog, saved: Path) -> None:
    assert run("verify", "--anchor", str(saved)).exit_code == 0

    del log.objects[log.names[-1]]
    shutil.rmtree(saved.parent / "trail")
    result = run("verify", "--anchor", str(saved))
    assert result.exit_code == 1
    assert (
        "was cut off at its end: the checkpoint in seen.json covers 6 records, and the log has only 3" in result.stdout
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:-20], "cannot be used"),
        (lambda text: text.replace('"size": 6', '"size": 5'), "it was altered or cut short since it was saved"),
        (lambda _: "{}", "it is not a saved state of a log (curfew.witness/v1)"),
        (lambda _: "[]", "it is not a saved state of a log (curfew.witness/v1)"),
        (lambda _: "\x00", "cannot be used"),
    ],
    ids=["cut short", "altered", "another thing", "a list", "rubbish"],
)
def test_a_saved_state_that_is_none_is_told_from_a_bad_log(
    run: Run, saved: Path, change: Callable[[str], str], sentence: str
) -> None:
    saved.write_text(change(saved.read_text()))

    result = run("verify", "--resume", str(saved))

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Verify the whole log again" in result.stderr


def test_a_saved_state_is_of_one_log(run: Run, saved: Path) -> None:
    result = run("verify", "--log", "other", "--resume", str(saved))

    assert result.exit_code == 2
    assert "belongs to log main, not to log other" in result.stderr


def test_an_anchor_that_a_resumed_verification_cannot_look_at_is_refused(run: Run, log: ALog, saved: Path) -> None:
    result = run("verify", "--resume", str(saved), "--anchor", log.receipt(0).compact())

    assert result.exit_code == 2
    assert "covers only the first 1 record, and --resume does not read these again" in result.stderr


# --- with several processes


@pytest.mark.parametrize("attack", [lambda _: None, damage_what_came, cut])
def test_several_processes_come_to_the_same(
    run: Run, log: ALog, monkeypatch: pytest.MonkeyPatch, attack: Callable[[ALog], None]
) -> None:
    monkeypatch.setattr(parallel, "_SMALL", 0)
    monkeypatch.setattr(parallel, "_BATCH_OBJECTS", 2)
    receipt = log.receipt(4).compact()
    log.hand_over(a_signer(seed=2), [a_record(7)])
    for number in range(8, 20):
        log.append([a_record(number)])
    attack(log)

    alone, together = (run("verify", "--all", "--anchor", receipt, "--jobs", jobs) for jobs in ("1", "2"))

    assert (together.exit_code, together.output) == (alone.exit_code, alone.output)


def test_a_process_that_was_ended_is_not_called_tampering(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_SMALL", 0)
    monkeypatch.setattr(parallel, "_begin", functools.partial(os._exit, 1))

    result = run("verify", "--jobs", "2")

    assert result.exit_code == 3
    assert "Try --jobs 1." in result.stderr


def test_an_interruption_is_not_called_tampering(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Walk, "take", interrupted)

    result = run("verify")

    assert (result.exit_code, result.stdout) == (130, "")


# --- tail


def test_tail_shows_what_a_person_reads(run: Run) -> None:
    result = run("tail")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Monday, 23 November 2026 (UTC)"
    assert lines[1] == f"23:58:30  {'audit.opened':<{max(map(len, EVENTS))}}  log main begins"
    assert len(lines) == 7


def test_tail_shows_the_newest_and_each_new_day(run: Run, log: ALog) -> None:
    log.append([a_record(10, at=BEGIN.replace(day=25))])

    result = run("tail", "-n", "2")

    lines = result.stdout.splitlines()
    assert [line.split(" (")[0] for line in (lines[0], lines[2])] == [
        "Monday, 23 November 2026",
        "Wednesday, 25 November 2026",
    ]
    assert "inc-5" in lines[1]
    assert "inc-10" in lines[3]


def test_tail_for_programs_prints_the_stored_lines(run: Run) -> None:
    result = run("tail", "-n", "4", "-o", "json")

    expected = [a_record(number).line() for number in (2, 3, 4, 5)]
    assert result.stdout_bytes == b"".join(line + b"\n" for line in expected)


def test_tail_lets_no_record_command_the_terminal(run: Run, log: ALog) -> None:
    story = Story(uid="u", namespace="n", request="r")
    log.append([make_record("request.created", at=BEGIN, actor="x", message="a\x1b[2J\nb\x9b", story=story)])

    assert run("tail", "-n", "1").stdout.splitlines()[-1].endswith("  a\\x1b[2J\\nb\\x9b")


def test_tail_goes_round_an_altered_segment_and_says_so(run: Run, log: ALog) -> None:
    log.objects[log.names[1]] = log.objects[log.names[1]][:-1]

    result = run("tail")

    assert result.exit_code == 1
    assert f"Segment 1 ({log.names[1]}) does not end with a signature" in result.stderr
    assert len(result.stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("submitted_by", "is_shown"),
    [
        pytest.param("system:serviceaccount:n:curfew-probe", False, id="Curfew's own"),
        pytest.param("mallory@example.com", True, id="a person's under its name"),
        pytest.param("system:serviceaccount:other:curfew-probe", True, id="from another namespace"),
    ],
)
def test_tail_leaves_out_the_self_test_and_says_so(run: Run, log: ALog, submitted_by: str, is_shown: bool) -> None:
    story = Story(uid="u", namespace="n", request="curfew-probe", submitted_by=submitted_by)
    log.append([make_record("request.created", at=BEGIN, actor="x", message="to be seen", story=story)])

    result = run("tail")

    assert ("to be seen" in result.stdout) == is_shown
    assert ("1 record of Curfew's self-test not shown; --request curfew-probe" in result.stderr) != is_shown
    assert "to be seen" in run("tail", "--request", "curfew-probe").stdout
    assert b"to be seen" in run("tail", "-o", "jsonl").stdout_bytes


def test_tail_shows_lines_that_it_cannot_read_as_such(run: Run, log: ALog) -> None:
    log.append_lines([b'{"unmapped":{"curfew":{"schema":"curfew.audit/v9"}}}'])

    assert "a line that this version cannot read" in run("tail", "-n", "1").stdout


def test_tail_shows_what_is_asked_for_in_the_form_that_is_wanted(run: Run, log: ALog) -> None:
    log.append([a_record(9, event="grant.expired")])

    lines = run(
        "tail", "-n", "2", "--request", "inc-?", "--event", "grant.activated", "-o", "jsonl"
    ).stdout.splitlines()
    rows = run("tail", "-n", "1", "--event", "grant.expired", "-o", "csv").stdout.splitlines()

    assert [json.loads(line)["index"] for line in lines] == [4, 5]
    assert rows[0].startswith("index,time,event,")
    assert rows[1].startswith("6,2026-11-23T23:58:30Z,grant.expired,")
    assert run("tail", "--person", "nobody").stdout == ""


def in_a_table() -> tail.Show:
    """Return what `tail` shows records with, unless it is told otherwise."""
    return tail._in_form("table", {})


class GrowingStore(MemoryStore):
    """A store that a log grows in while it is read: each look finds what has happened by then."""

    def __init__(self, log: ALog, *happenings: Callable[[], None]) -> None:
        """`happenings` come one by one, each when a look finds nothing new."""
        super().__init__(log.objects)
        self.happenings = list(happenings)

    async def get(self, name: str) -> bytes:
        """Return an object, or let the next thing happen."""
        if name not in self.objects:
            if not self.happenings:
                raise KeyboardInterrupt
            self.happenings.pop(0)()
            raise ObjectMissing(name)
        return await super().get(name)


def test_following_shows_what_is_appended(
    log: ALog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on over heartbeats, over midnight, past what is not ours, and when the store was away for a while."""

    def away() -> None:
        raise StoreUnavailable("The disk is gone.")

    def squat() -> None:
        rubbish = b"rubbish\x1b"
        log.objects[log.head.next_name()] = rubbish
        log.heads.append(log.head.voided(rubbish))

    def grow() -> None:
        log.append()
        log.append([a_record(7, at=BEGIN.replace(day=26))])

    def grow_again() -> None:
        log.append([a_record(8)])

    store = GrowingStore(log, grow, away, away, squat, grow_again)
    monkeypatch.setattr(tail, "_POLL", 0)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(tail._follow(store, log.head, log.verifier, Query(), in_a_table()))

    shown = capsys.readouterr()
    assert [line.rpartition("(")[2] for line in shown.out.splitlines()] == [
        "UTC)",
        "request inc-7)",
        "UTC)",
        "request inc-8)",
    ]
    assert shown.err.count("The disk is gone. Trying again.") == 1
    assert shown.err.count("and is not shown.") == 1


@pytest.mark.parametrize("given", ["no key", "the first key", "the newest key"])
def test_tail_follows_a_log_from_key_to_key(run: Run, log: ALog, given: str) -> None:
    first = key_of(log)
    for number in range(6, 12):
        log.append([a_record(number)])
        if number % 2:
            log.hand_over(a_signer(seed=number))
    key = {"no key": (), "the first key": ("--key", first), "the newest key": ("--key", key_of(log))}[given]

    result = run("tail", *key)

    assert (result.exit_code, result.stderr) == (0, "")
    told = [line for line in result.stdout.splitlines() if "UTC" not in line]
    assert [line.split()[1] for line in told] == [
        "audit.opened",
        *["grant.activated"] * 5,
        *["grant.activated", "grant.activated", "audit.key_rotated"] * 3,
    ]


def test_tail_shows_what_the_first_key_opens_where_a_segment_is_altered(run: Run, log: ALog) -> None:
    log.objects[log.names[3]] = log.objects[log.names[3]][:-1]

    result = run("tail", "--key", key_of(log))

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 4


def test_following_goes_on_with_the_next_key(
    log: ALog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, head = log.verifier, log.head

    def hand_over() -> None:
        log.hand_over(a_signer(seed=7))
        log.append([a_record(7)])

    monkeypatch.setattr(tail, "_POLL", 0)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(tail._follow(GrowingStore(log, hand_over), head, verifier, Query(), in_a_table()))

    assert "request inc-7" in capsys.readouterr().out


# --- key


def test_the_public_key_of_a_signing_key_is_what_verify_wants(run: Run, log: ALog, tmp_path: Path) -> None:
    pem = tmp_path / "signing.pem"
    key = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

    result = CliRunner().invoke(main, ["audit", "key", str(pem)])

    assert result.exit_code == 0
    assert run("verify", "--key", result.stdout).exit_code == 0


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    pem = tmp_path / "signing.pem"
    pem.write_bytes(
        X25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )

    result = CliRunner().invoke(main, ["audit", "key", str(pem)])

    assert result.exit_code == 2
    assert "openssl genpkey -algorithm ed25519 makes one" in " ".join(result.stderr.split())


# --- help


@pytest.mark.parametrize("name", ["verify", "search", "prove", "export", "tail"])
def test_help_has_examples_and_exit_codes(name: str) -> None:
    result = CliRunner().invoke(main, ["audit", name, "--help"])

    assert result.exit_code == 0
    assert f"curfew audit {name} s3://" in result.stdout
    for line in ("Exit code 0:", "          1:", "          2:", "          3:"):
        assert line in result.stdout


def test_help_begins_with_what_people_type_first() -> None:
    assert audit.list_commands(click.Context(audit)) == [
        "verify",
        "search",
        "session",
        "check",
        "index",
        "prove",
        "check-proof",
        "report",
        "advise",
        "export",
        "tail",
        "import",
        "key",
        "who",
        "forget",
    ]


def test_progress_is_said_after_a_second_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter((0.0, 0.5, 1.05, 1.1, 1.2))
    # Not `time.monotonic` itself: other threads of this process read it too.
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    with console.progress(4000, "objects") as advance:
        for _ in range(4):
            advance()

    assert capsys.readouterr().err == "\r  2 of 4,000 objects\r  4 of 4,000 objects\r\x1b[2K"


def test_what_people_wrote_is_shown_as_it_is_unless_it_commands() -> None:
    assert printable("naïve 日本 ✓") == "naïve 日本 ✓"
    assert printable("a\u202eb\r\x00\x7f") == "a\\u202eb\\r\\x00\\x7f"


def test_a_checkpoint_of_an_empty_log_is_a_true_anchor(run: Run, log: ALog) -> None:
    empty = Checkpoint(Head.genesis("main").checkpoint.origin, 0, Head.genesis("main").range.root())

    assert run("verify", "--anchor", sign_note(empty, log.signer)).exit_code == 0
