"""What people read of a log whose oldest segments were removed: where it begins, what is missing, and how to prove it."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.audit.beginning import Beginning, statement
from curfew.audit.record import Record
from curfew.audit.segment import sequence
from curfew.cli import main
from tests.support.logs import BEGIN, ALog, a_record, a_signer, opened

DAYS = 12
FIRST = 5  # the first segment that is kept


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the index of searches in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def log() -> ALog:
    """Return a log of twelve days, two records each, that states on the last that the first five segments may be removed."""
    log = ALog()
    log.append([opened(log.signer)])
    for day in range(1, DAYS):
        at = BEGIN + timedelta(days=day)
        told = [a_record(10 * day + number, at=at) for number in range(2)]
        log.append([*told, state(log)] if day == DAYS - 1 else told, at)
    return log


def state(log: ALog, first: int = FIRST) -> Record:
    """Return the record that states where a log begins."""
    beginning = Beginning(log.heads[first], log.verifier)
    return statement(
        beginning, at=BEGIN + timedelta(days=DAYS, hours=first), keep_for=timedelta(days=7), writer="tests"
    )


@pytest.fixture
def folder(log: ALog, tmp_path: Path) -> Path:
    """Return the folder that the log lies in, whole."""
    return log.lay(tmp_path / "trail")


def cut(folder: Path, first: int = FIRST) -> None:
    """Remove the segments before one."""
    for path in sorted(folder.rglob("*.zst")):
        if sequence(path.name) < first:
            path.unlink()


def export(folder: Path, period: str, to: Path) -> Path:
    """Export a period."""
    result = audit("export", folder, "--period", period, "--to", to)
    assert result.exit_code == 0, result.output
    return to


def prove(folder: Path, index: int, *exports: Path) -> Result:
    """Prove a record, with exports."""
    options = [option for file in exports for option in ("--export", file)]
    return audit("prove", folder, index, *options, "--to", folder.parent / "proof.json")


def test_verify_says_where_it_begins(log: ALog, folder: Path) -> None:
    cut(folder)
    result = audit("verify", folder, "--key", log.verifier)
    assert result.exit_code == 0, result.output
    assert "Holds    15 records in 7 segments" in result.stdout
    assert "Begins   with segment 5 and record 9, sealed after 2026-11-27 23:58:30 UTC" in result.stdout
    assert "Note: The log begins with segment 5 and record 9" in result.stdout
    assert json.loads(audit("verify", folder, "-o", "json").stdout)["read"]["begins"] == {
        "segment": 5,
        "record": 9,
        "after": "2026-11-27T23:58:30+00:00",
    }


def test_a_state_from_before_the_beginning_asks_for_a_whole_verification(
    log: ALog, folder: Path, tmp_path: Path
) -> None:
    early, state_file = ALog(), tmp_path / "seen.json"
    early.objects = dict(list(log.objects.items())[:4])
    assert audit("verify", early.lay(tmp_path / "early"), "--save", state_file).exit_code == 0
    cut(folder)
    result = audit("verify", folder, "--resume", state_file)
    assert result.exit_code == 2
    assert "The saved state ends with segment 3" in result.stderr
    assert "Verify without --resume" in result.stderr


def test_a_segment_that_is_missing_after_the_beginning_is_missing_for_a_saved_state_too(
    log: ALog, folder: Path, tmp_path: Path
) -> None:
    assert audit("verify", folder, "--save", tmp_path / "seen.json").exit_code == 0
    cut(folder)
    (folder / log.names[7]).unlink()
    result = audit("verify", folder, "--resume", tmp_path / "seen.json")
    assert result.exit_code == 1
    assert "no longer holds 1 segment of the saved state" in result.stdout


def test_an_index_from_before_finds_what_is_left_and_sees_what_is_missing(log: ALog, folder: Path) -> None:
    asked = ("search", folder, "--event", "grant.*", "-o", "jsonl", "--key", log.verifier)
    assert len(audit(*asked).stdout.splitlines()) == 22
    cut(folder)
    for _ in range(2):
        result = audit(*asked)
        assert result.exit_code == 0, result.output
        assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == list(range(9, 23))
    (folder / log.names[8]).unlink()
    result = audit(*asked)
    assert result.exit_code == 1
    assert "no longer holds" in result.output


def test_a_removed_record_is_proved_from_an_export(log: ALog, folder: Path, tmp_path: Path) -> None:
    whole = export(folder, "2026-11-01..2026-12-31", tmp_path / "whole.zip")
    cut(folder)
    for index in (0, 3, 8):
        result = prove(folder, index, whole)
        assert result.exit_code == 0, result.output
        checked = audit("check-proof", tmp_path / "proof.json", "--key", log.verifier)
        assert checked.exit_code == 0, checked.output
        assert f"this is record {index} of log main" in checked.stdout
    assert prove(folder, 12, whole).exit_code == 0
    assert prove(folder, 12).exit_code == 0


def test_exports_that_follow_each_other_prove_together_and_a_gap_is_named(
    log: ALog, folder: Path, tmp_path: Path
) -> None:
    early = export(folder, "2026-11-24", tmp_path / "early.zip")
    middle = export(folder, "2026-11-25..2026-11-26", tmp_path / "middle.zip")
    late = export(folder, "2026-11-27..2026-11-29", tmp_path / "late")
    cut(folder)
    result = prove(folder, 2, early, late, middle)
    assert result.exit_code == 0, result.output
    assert audit("check-proof", tmp_path / "proof.json", "--key", log.verifier).exit_code == 0
    result = prove(folder, 2, early)
    assert result.exit_code == 2
    assert "are in neither the given exports nor the log" in result.stderr
    result = prove(folder, 2)
    assert (result.exit_code, "an export that holds an earlier record proves it (--export)" in result.stderr) == (
        2,
        True,
    )


def test_an_export_of_another_history_proves_nothing(log: ALog, folder: Path, tmp_path: Path) -> None:
    """Though its key has signed both."""
    other = ALog()
    other.append([opened(other.signer)])
    for day in range(1, DAYS):
        at = BEGIN + timedelta(days=day)
        other.append([a_record(10 * day + number, at=at) for number in (5, 6)], at)
    forged = export(other.lay(tmp_path / "other"), "2026-11-01..2026-12-31", tmp_path / "other.zip")
    cut(folder)
    result = prove(folder, 3, forged)
    assert result.exit_code == 1
    assert "do not have the same history" in result.stderr


def test_an_altered_export_and_one_of_another_log_are_refused(log: ALog, folder: Path, tmp_path: Path) -> None:
    whole = export(folder, "2026-11-01..2026-12-31", tmp_path / "whole")
    shutil.copytree(whole, tmp_path / "altered")
    (tmp_path / "altered" / "records.csv").write_text("")
    cut(folder)
    result = prove(folder, 3, tmp_path / "altered")
    assert (result.exit_code, "does not verify" in result.stderr) == (1, True), result.output
    assert prove(folder, 3, folder).exit_code == 2
    other = ALog("other", a_signer("other"))
    other.append([opened(other.signer, "other")])
    assert audit("export", other.lay(tmp_path / "o"), "--log", "other", "--to", tmp_path / "o.zip").exit_code == 0
    result = prove(folder, 3, tmp_path / "o.zip")
    assert (result.exit_code, "belongs to log other" in result.stderr) == (2, True), result.output


def test_an_export_of_a_cut_log_verifies_and_proves_later(log: ALog, folder: Path, tmp_path: Path) -> None:
    """What it says of the state before it is checked by the segments in it."""
    cut(folder)
    part = export(folder, "2026-11-01..2026-12-31", tmp_path / "part")
    result = audit("verify", part, "--key", log.verifier)
    assert result.exit_code == 0, result.output
    assert "The bundle begins with record 9" in result.stdout
    log.append([state(log, 8)], BEGIN + timedelta(days=DAYS))
    log.lay(folder)
    cut(folder, 8)
    assert prove(folder, 10, part).exit_code == 0
    told = json.loads((part / "manifest.json").read_text())
    told["begins"]["hashes"][0] = "00" * 32
    (part / "manifest.json").write_text(json.dumps(told))
    assert audit("verify", part, "--key", log.verifier).exit_code == 1


def test_keys_of_a_cut_log(log: ALog, folder: Path) -> None:
    cut(folder)
    result = audit("key", folder)
    assert result.exit_code == 0, result.output
    assert f"{log.verifier}  from segment 5 and record 9 on" in result.stdout
