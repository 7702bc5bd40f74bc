"""One record is proved by one file, and the file alone is enough to check it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from tests.support.logs import ALog, a_log, a_record, a_signer
from tests.vectors.independent_proof import read_proof

Run = Callable[..., Result]


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")


@pytest.fixture
def log() -> ALog:
    """Return a log of six records in four segments."""
    return a_log(1, 2, 0, 3)


@pytest.fixture
def folder(log: ALog, tmp_path: Path) -> Path:
    """Return the folder that the log lies in."""
    return log.lay(tmp_path / "trail")


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Return where a proof is written to."""
    return tmp_path / "proof.json"


@pytest.fixture
def key(log: ALog) -> str:
    """Return the log's key."""
    return str(log.verifier)


@pytest.mark.parametrize("index", range(6))
def test_each_record_can_be_proved(log: ALog, folder: Path, proof: Path, key: str, index: int) -> None:
    written = audit("prove", folder, index, "--key", key, "--to", proof)
    checked = audit("check-proof", proof, "--key", key)

    assert (written.exit_code, checked.exit_code) == (0, 0), written.output + checked.output
    assert checked.stdout.startswith(f"Proved: this is record {index} of log main\n")
    assert (
        f"it is one of the 6 records that the checkpoint in the file commits to\n  Root     {log.head.range.root().hex()}"
        in (checked.stdout)
    )
    assert read_proof(proof.read_bytes(), key) == log.lines[index].decode()


@pytest.mark.parametrize("form", ["index", "id", "request", "name", "UID", "receipt", "receipt in a file"])
def test_the_record_can_be_named_in_many_ways(log: ALog, folder: Path, proof: Path, form: str) -> None:
    record, receipt = a_record(2), log.receipt(2)
    (proof.parent / "kept.json").write_text(json.dumps({"status": {"grant": {"receipt": receipt.to_json()}}}))
    named = {
        "index": ["2"],
        "id": [record.id],
        "request": ["payments/inc-2", "grant.activated"],
        "name": ["inc-2"],
        "UID": ["uid-2", "3002I"],
        "receipt": [receipt.compact()],
        "receipt in a file": [str(proof.parent / "kept.json")],
    }

    result = audit("prove", folder, *named[form], "--to", proof)

    assert result.exit_code == 0, result.output
    assert json.loads(proof.read_bytes())["record"] == record.line().decode()
    assert result.stdout.startswith(
        "Proved: record 2, grant.activated at 2026-11-23 23:58:30 UTC: alice@example.com holds"
    )


def test_without_a_file_it_is_named_after_the_record(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = audit("prove", folder, 3)

    assert "  Written to main-3.proof.json\n" in result.stdout
    assert audit("check-proof", "main-3.proof.json").exit_code == 0


def test_it_can_be_written_to_the_standard_output(folder: Path, proof: Path) -> None:
    proof.write_bytes(audit("prove", folder, 3, "--to", "-").stdout_bytes)

    assert audit("check-proof", proof).exit_code == 0


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (["6"], "No record matches 6; the log holds 6 records."),
        (["payments/inc-9"], "No record matches payments/inc-9; the log holds 6 records."),
        (["inc-3", "grant.expired"], "No record matches inc-3 grant.expired;"),
        (["0" * 32], f"No record matches {'0' * 32};"),
        (["inc-*"], "5 records match; choose one by its index:\n          1  alice@example.com holds"),
        (["3", "grant.activated"], "3 already names the record; leave out grant.activated."),
        ([f"other/0/1/{'0' * 64}"], "The receipt belongs to log other; choose that log with --log other."),
    ],
)
def test_what_means_no_record_or_several_is_told_so(folder: Path, proof: Path, record: list[str], why: str) -> None:
    result = audit("prove", folder, *record, "--to", proof)

    assert result.exit_code == 2
    assert why in result.stderr
    assert not proof.exists()


def test_a_log_that_does_not_verify_proves_nothing(log: ALog, folder: Path, proof: Path) -> None:
    (folder / log.names[3]).write_bytes(log.objects[log.names[3]][:-1])

    result = audit("prove", folder, 0, "--to", proof)

    assert result.exit_code == 1
    assert f"Error: The log does not verify. Segment 3 ({log.names[3]}) does not end with a signature" in result.stderr
    assert not proof.exists()


def test_a_receipt_that_the_log_does_not_agree_with_proves_nothing(folder: Path, proof: Path) -> None:
    result = audit("prove", folder, f"main/2/3/{'0' * 64}", "--to", proof)

    assert result.exit_code == 1
    assert "the receipt covers other records among the first 3" in result.stderr


def test_a_proof_that_cannot_be_written_is_told_so(folder: Path, tmp_path: Path) -> None:
    result = audit("prove", folder, 0, "--to", tmp_path / "missing" / "proof.json")

    assert result.exit_code == 2
    assert "Choose another file with --to." in result.stderr


def test_after_a_rotation_the_proof_is_made_under_the_key_that_signed_the_end(tmp_path: Path, proof: Path) -> None:
    log = a_log(2)
    old, new = log.signer, a_signer(seed=2)
    log.hand_over(new)
    log.append([a_record(9)])
    folder = log.lay(tmp_path / "trail")

    assert audit("prove", folder, 1, "--key", old.verifier_key, "--to", proof).exit_code == 0
    assert audit("check-proof", proof, "--key", new.verifier_key).exit_code == 0
    refused = audit("check-proof", proof, "--key", old.verifier_key)
    assert refused.exit_code == 1
    assert f"It was made with key {new.verifier_key}, but is checked with {old.verifier_key}." in refused.stdout


# --- what check-proof says


def test_what_is_proved_is_said_in_words(log: ALog, folder: Path, proof: Path, key: str) -> None:
    audit("prove", folder, 2, "--to", proof)

    told = audit("check-proof", proof, "--key", key).stdout

    assert told.splitlines()[:5] == [
        "Proved: this is record 2 of log main",
        "",
        "  What     alice@example.com holds ClusterRole payments-debug in payments (request inc-2)",
        "  When     2026-11-23 23:58:30 UTC",
        "  Event    grant.activated, by curfew",
    ]
    assert f"  Key      {key}\n" in told
    assert "Note:" not in told


def test_without_a_key_it_says_what_is_not_shown(folder: Path, proof: Path) -> None:
    audit("prove", folder, 2, "--to", proof)

    assert "Note: No key was given, so the one in the file was used." in audit("check-proof", proof).stdout


def test_json_says_the_same_to_programs(log: ALog, folder: Path, proof: Path, key: str) -> None:
    audit("prove", folder, 2, "--to", proof)

    assert json.loads(audit("check-proof", proof, "--key", key, "-o", "json").stdout) == {
        "proved": True,
        "log": "main",
        "index": 2,
        "record": json.loads(log.lines[2]),
        "checkpoint": {"size": 6, "root": log.head.range.root().hex()},
        "key": key,
        "keyWasGiven": True,
        "notes": [],
    }


def test_a_record_of_a_later_version_is_proved_and_not_read(log: ALog, folder: Path, proof: Path) -> None:
    log.append_lines([b'{"unmapped":{"curfew":{"schema":"curfew.audit/v9"}}}'])
    log.lay(folder)

    written = audit("prove", folder, 6, "--to", proof)

    assert "record 6, which this version cannot read" in written.stdout
    assert "This version cannot read this kind of record; -o json shows it." in audit("check-proof", proof).stdout


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: b"", "The file is not JSON"),
        (lambda data: data[:-1] + b" ", "It is not in the only valid form"),
        (lambda data: data.replace(b"inc-2", b"inc-3"), "do not lead to the root that was signed"),
        (lambda data: data.replace(b'"index":2', b'"index":3'), "do not lead to the root that was signed"),
        (lambda data: data.replace(b'"index":2', b'"index":9'), "There is no record 9 in a log of 6 records."),
        (
            lambda data: data.replace(b'"log":"main"', b'"log":"mail"'),
            "It belongs to log mail, but the key belongs to curfew.dev/log/",
        ),
        (
            lambda data: data.replace(b"log/main\\n6", b"log/main\\n7"),
            "Its checkpoint is not valid: the signature is not",
        ),
        (
            lambda data: data.replace(b"proof/v1", b"proof/v2"),
            "'curfew.proof/v2'; this version reads curfew.proof/v1",
        ),
        (lambda data: b'{"proof":1}\n', "It is not a proof: it does not have exactly the fields checkpoint, index"),
    ],
)
@pytest.mark.parametrize("with_key", [True, False], ids=["with the key", "without a key"])
def test_a_changed_file_is_refused_with_what_is_wrong(
    folder: Path, proof: Path, key: str, change: Callable[[bytes], bytes], why: str, with_key: bool
) -> None:
    audit("prove", folder, 2, "--to", proof)
    proof.write_bytes(change(proof.read_bytes()))
    arguments = ["--key", key] if with_key else []

    result = audit("check-proof", proof, *arguments)
    for_programs = audit("check-proof", proof, *arguments, "-o", "json")

    assert result.exit_code == for_programs.exit_code == 1
    assert result.stdout.startswith(f"NOT PROVED: {proof} proves nothing. ")
    assert why in result.stdout
    assert json.loads(for_programs.stdout)["proved"] is False


def test_a_proof_that_was_made_anew_with_another_key_is_refused(tmp_path: Path, proof: Path, key: str) -> None:
    forged = ALog(signer=a_signer(seed=9))
    forged.append([a_record(1)])
    assert audit("prove", forged.lay(tmp_path / "forged"), 0, "--key", forged.verifier, "--to", proof).exit_code == 0

    result = audit("check-proof", proof, "--key", key)

    assert result.exit_code == 1
    assert "but is checked with curfew.dev/log/main" in result.stdout


def test_a_key_that_is_none_is_told_so(folder: Path, proof: Path) -> None:
    audit("prove", folder, 2, "--to", proof)

    assert audit("check-proof", proof, "--key", "a+b").exit_code == 2
    assert audit("check-proof", "missing.json").exit_code == 2
