"""The evidence of a period is handed over as a bundle that verifies on its own, and says how far it speaks."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.audit.wording import NO_KEY
from curfew.cli import main
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer, opened
from tests.vectors.make_vectors import the_story
from tools.verify_independently import verify as verify_independently


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")


@pytest.fixture
def log() -> ALog:
    """Return a log of ten days, a segment each: the third is a sign of life, the others have a record or two."""
    log = ALog()
    log.append([opened(log.signer)])
    for day in range(1, 10):
        at = BEGIN + timedelta(days=day)
        log.append([a_record(day * 10 + number, at=at) for number in range(0 if day == 2 else 1 + day % 2)], at=at)
    return log


@pytest.fixture
def folder(log: ALog, tmp_path: Path) -> Path:
    """Return the folder that the log lies in."""
    return log.lay(tmp_path / "trail")


@pytest.fixture(params=["bundle", "bundle.zip"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return where a bundle is written to: a folder, or a zip file."""
    return tmp_path / str(request.param)


@pytest.fixture
def key(log: ALog) -> str:
    """Return the log's key."""
    return str(log.verifier)


def files_of(bundle: Path) -> dict[str, bytes]:
    """Return what is in a bundle."""
    if bundle.suffix == ".zip":
        with zipfile.ZipFile(bundle) as zipped:
            return {name: zipped.read(name) for name in zipped.namelist()}
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


PERIOD = "2026-11-27..2026-11-29"


def test_a_period_is_exported_and_the_bundle_verifies_alone(log: ALog, folder: Path, to: Path, key: str) -> None:
    exported = audit("export", folder, "--period", PERIOD, "--to", to, "--key", key)
    for path in folder.rglob("*.zst"):
        path.unlink()
    verified = audit("verify", to, "--key", key)

    assert (exported.exit_code, verified.exit_code) == (0, 0), exported.output + verified.output
    assert exported.stdout.splitlines() == [
        "Exported: 4 records of log main, from 2026-11-27 00:00:00 UTC to 2026-11-30 00:00:00 UTC",
        f"  Written to {to}",
        "  Holds      records 5 to 10, in 4 segments",
        f"  Check it   curfew audit verify {to} --key {key}",
    ]
    assert verified.stdout.splitlines() == [
        f"Verified: records 5 to 10 of log main, in the bundle {to}",
        "  Period   from 2026-11-27 00:00:00 UTC to 2026-11-30 00:00:00 UTC: 4 records",
        "  Sealed   from 2026-11-26 23:58:30 UTC to 2026-11-30 23:58:30 UTC",
        "  Files    8, each matches the manifest",
        f"  Head     segment 7, root {log.heads[8].range.root().hex()}",
        f"  Key      {key}",
        "",
        "The bundle begins with record 5; earlier records of the log are not in it.",
        "Records after 10 are not in the bundle either.",
    ]


def test_a_bundle_holds_the_segments_byte_for_byte_and_one_before_and_one_after(
    log: ALog, folder: Path, to: Path
) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)

    objects = {name.removeprefix("log/"): data for name, data in files_of(to).items() if name.startswith("log/")}

    assert objects == {name: log.objects[name] for name in log.names[3:8]}


def test_a_bundle_holds_the_records_of_the_period_to_be_read(log: ALog, folder: Path, to: Path) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)
    files = files_of(to)

    lines = [json.loads(line) for line in files["records.jsonl"].splitlines()]
    rows = list(csv.DictReader(io.StringIO(files["records.csv"].decode())))

    assert [line["index"] for line in lines] == [int(row["index"]) for row in rows] == [5, 6, 7, 8]
    assert [line["record"] for line in lines] == [json.loads(log.lines[line["index"]]) for line in lines]
    assert "curfew audit verify" in files["README.txt"].decode()


def test_the_same_export_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("one.zip", "other.zip"):
        audit("export", folder, "--period", PERIOD, "--to", tmp_path / name)

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_without_a_period_it_is_the_whole_log(log: ALog, folder: Path, to: Path, key: str) -> None:
    audit("export", folder, "--to", to)

    verified = audit("verify", to, "--key", key)

    assert verified.stdout.startswith("Verified: records 0 to 13 of log main, in the bundle ")
    assert "The bundle begins with" not in verified.stdout


def test_an_export_of_all_time_is_a_log_for_any_verifier_of_the_format(
    log: ALog, folder: Path, tmp_path: Path, key: str
) -> None:
    audit("export", folder, "--to", tmp_path / "bundle")

    read = verify_independently(tmp_path / "bundle" / "log", "main", key, [log.receipt(13).compact()])

    assert [line.encode() for line in read.lines] == log.lines


def test_a_record_that_was_stored_late_belongs_to_the_time_that_it_tells_of(
    log: ALog, folder: Path, to: Path, key: str
) -> None:
    """What happened while the store was away is stored afterwards."""
    log.append([a_record(99, at=BEGIN + timedelta(days=5))], at=BEGIN + timedelta(days=10))
    log.lay(folder)

    audit("export", folder, "--period", PERIOD, "--to", to)

    assert files_of(to)["records.jsonl"].splitlines()[-1].startswith(b'{"index":14,')
    assert "Verified: records 5 to 14 of log main" in audit("verify", to, "--key", key).stdout


def test_a_time_without_records_is_evidence_too(folder: Path, to: Path, key: str) -> None:
    """A sign of life shows that nothing was recorded."""
    assert audit("export", folder, "--period", "2026-11-25", "--to", to).exit_code == 0

    assert ": 0 records\n" in audit("verify", to, "--key", key).stdout


def test_json_says_the_same_to_programs(log: ALog, folder: Path, to: Path, key: str) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)

    assert json.loads(audit("verify", to, "--key", key, "-o", "json").stdout) == {
        "verified": True,
        "log": "main",
        "location": str(to),
        "findings": [],
        "bundle": {"firstRecord": 5, "records": 6, "inPeriod": 4, "exporter": None},
        "head": {"segment": 7, "size": 11, "root": log.heads[8].range.root().hex()},
        "key": key,
        "keyWasGiven": True,
    }


def test_without_a_key_it_says_what_is_not_shown(folder: Path, to: Path) -> None:
    assert f"Note: {NO_KEY}" in audit("export", folder, "--period", PERIOD, "--to", to).stderr
    assert f"Note: {NO_KEY}" in audit("verify", to).stdout


def test_anchors_speak_for_a_bundle_too(log: ALog, folder: Path, to: Path, key: str) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)

    assert audit("verify", to, "--key", key, "--anchor", log.receipt(8).compact()).exit_code == 0
    later = audit("verify", to, "--key", key, "--anchor", log.receipt(12).compact())
    assert later.exit_code == 1
    other = a_log(3, 7).receipt(8).compact()
    assert audit("verify", to, "--key", key, "--anchor", other).exit_code == 1


@pytest.mark.parametrize("period", ["2026-11-23..2026-11-25", "2026-11-26", "2026-11-28..2026-12-01"])
def test_a_log_that_was_handed_over_is_exported_with_the_key_of_its_part(tmp_path: Path, to: Path, period: str) -> None:
    log = ALog()
    log.append([opened(log.signer)])
    keys = [log.signer.verifier_key]
    for day in range(1, 8):
        at = BEGIN + timedelta(days=day)
        log.append([a_record(day, at=at)], at=at)
        if day in (2, 5):
            log.hand_over(a_signer(seed=day + 1))
            keys.append(log.signer.verifier_key)
    folder = log.lay(tmp_path / "trail")

    exported = audit("export", folder, "--period", period, "--to", to, "--key", keys[0])

    told = exported.stdout.rpartition("--key ")[2].strip()
    assert told in keys
    assert audit("verify", to, "--key", told).exit_code == 0, audit("verify", to, "--key", told).output
    assert audit("verify", to, "--key", a_signer(seed=9).verifier_key).exit_code == 1


# --- what is refused


def write(bundle: Path, files: dict[str, bytes]) -> None:
    """Replace what is in a bundle."""
    if bundle.suffix == ".zip":
        with zipfile.ZipFile(bundle, "w") as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
        return
    for path in bundle.rglob("*"):
        if path.is_file():
            path.unlink()
    for name, data in files.items():
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(data)


def with_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with a manifest that fits them: whoever changes a bundle can change that too."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
        if name != "manifest.json"
    }
    return files | {"manifest.json": json.dumps(manifest).encode()}


def objects_in(files: dict[str, bytes]) -> list[str]:
    """Return the names of the segments in a bundle, in order."""
    return sorted(name for name in files if name.startswith("log/"))


def flip(data: bytes) -> bytes:
    """Return bytes with a bit in the middle the other way."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    """Return files but one."""
    return {other: data for other, data in files.items() if other != name}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda files: files | {"records.csv": flip(files["records.csv"])},
            "File records.csv has another hash than the manifest states",
        ),
        (
            lambda files: files | {"README.txt": b"Believe me"},
            "File README.txt has another hash than the manifest states",
        ),
        (lambda files: without(files, "records.csv"), "File records.csv is in the manifest, but not in the bundle."),
        (lambda files: files | {"more.txt": b""}, "File more.txt is in the bundle, but not in the manifest."),
        (
            lambda files: with_manifest(files | {"records.jsonl": files["records.jsonl"].replace(b"alice", b"malic")}),
            "File records.jsonl does not hold the records of the period as they are in the log.",
        ),
        (
            lambda files: with_manifest(files | {"records.csv": files["records.csv"].rpartition(b"\n8,")[0] + b"\n"}),
            "File records.csv does not hold the records of the period as they are in the log.",
        ),
        (
            lambda files: with_manifest(files | {objects_in(files)[2]: flip(files[objects_in(files)[2]])}),
            "Segment 5 (v1/log=main/",
        ),
        (lambda files: with_manifest(without(files, objects_in(files)[2])), "Segment 5 (v1/log=main/"),
        (
            lambda files: with_manifest(without(files, objects_in(files)[0])),
            "The bundle does not hold the segment that it begins after",
        ),
        (
            lambda files: with_manifest(files | {objects_in(files)[0]: flip(files[objects_in(files)[0]])}),
            "The bundle does not hold the segment that it begins after",
        ),
        (
            lambda files: files | {"manifest.json": files["manifest.json"].replace(b"2026-11-30", b"2026-11-29")},
            "does not hold the records of the period as they are in the log.",
        ),
    ],
)
def test_what_was_changed_in_a_bundle_is_found_also_with_a_manifest_that_fits(
    folder: Path, to: Path, key: str, change: Callable[[dict[str, bytes]], dict[str, bytes]], why: str
) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)
    write(to, change(files_of(to)))

    result = audit("verify", to, "--key", key)

    assert result.exit_code == 1
    assert result.stdout.startswith(f"NOT VERIFIED: the bundle {to} of log main\n")
    assert why in result.stdout
    assert json.loads(audit("verify", to, "--key", key, "-o", "json").stdout)["verified"] is False


def test_a_bundle_of_a_log_that_somebody_else_signed_is_refused(tmp_path: Path, to: Path, key: str) -> None:
    forged = ALog(signer=a_signer(seed=9))
    for day in range(4):
        forged.append([a_record(day, at=BEGIN + timedelta(days=day))], at=BEGIN + timedelta(days=day))
    audit("export", forged.lay(tmp_path / "forged"), "--period", "2026-11-25", "--to", to, "--key", forged.verifier)
    assert audit("verify", to, "--key", forged.verifier).exit_code == 0

    result = audit("verify", to, "--key", key)

    assert result.exit_code == 1
    assert f"and no part of it by {key}" in result.stdout


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"schema":"curfew.export/v2"}', b'{"schema":"curfew.export/v1"}']
)
def test_a_bundle_without_a_manifest_that_can_be_read_is_no_evidence(folder: Path, to: Path, data: bytes) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to)
    write(to, files_of(to) | {"manifest.json": data})

    result = audit("verify", to)

    assert result.exit_code == 3
    assert f"The bundle {to} cannot be read: " in result.stderr


def test_a_zip_file_that_was_cut_off_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "bundle.zip"
    audit("export", folder, "--period", PERIOD, "--to", to)
    to.write_bytes(to.read_bytes()[:-100])

    assert audit("verify", to).exit_code == 3


def test_no_byte_of_a_zip_file_makes_another_statement(folder: Path, tmp_path: Path, key: str) -> None:
    """One bit of every 97th byte: it is refused, cannot be read, or was nothing that is said (such as a file's date)."""
    to = tmp_path / "bundle.zip"
    audit("export", folder, "--period", PERIOD, "--to", to)
    data, files, told = to.read_bytes(), files_of(to), audit("verify", to, "--key", key).stdout
    for at in range(0, len(data), 97):
        to.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        result = audit("verify", to, "--key", key)
        if result.exit_code == 0:
            assert (files_of(to), result.stdout) == (files, told)
        else:
            assert result.exit_code in (1, 3), result.output


# --- the exporter's signature


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """Return a file with a private key of the exporter."""
    file = tmp_path / "auditor.pem"
    file.write_bytes(
        Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


def test_the_manifest_can_be_signed_by_whoever_hands_it_over(folder: Path, to: Path, key: str, pem: Path) -> None:
    assert audit("export", folder, "--period", PERIOD, "--to", to, "--sign-with", pem).exit_code == 0

    assert "  Signed   the manifest, by curfew.dev/export+" in audit("verify", to, "--key", key).stdout
    write(to, with_manifest(files_of(to) | {"README.txt": b"Believe me"}))
    result = audit("verify", to, "--key", key)
    assert result.exit_code == 1
    assert "File manifest.sig does not hold: the signature is not that of key curfew.dev/export" in result.stdout


def test_a_signature_without_its_key_does_not_hold(folder: Path, to: Path, key: str, pem: Path) -> None:
    audit("export", folder, "--period", PERIOD, "--to", to, "--sign-with", pem)
    write(to, without(files_of(to), "exporter.pub"))

    assert audit("verify", to, "--key", key).exit_code == 1


# --- what cannot be exported


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--period", "2026-01"], "The log has nothing from that period: from 2026-01-01 00:00:00 UTC to 2026-02-01"),
        (["--period", "soon"], "--period: 'soon' is not a time that Curfew understands"),
        (["--sign-with", __file__], "cannot be used to sign: it is not an unencrypted private key in PEM"),
    ],
)
def test_what_cannot_be_exported_is_told_why_and_leaves_nothing(
    folder: Path, to: Path, arguments: list[str], why: str
) -> None:
    before = sorted(to.parent.iterdir())

    result = audit("export", folder, "--to", to, *arguments)

    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())
    assert sorted(to.parent.iterdir()) == before


def test_an_export_replaces_nothing(folder: Path, to: Path) -> None:
    to.mkdir()

    result = audit("export", folder, "--to", to)

    assert result.exit_code == 2
    assert "already exists, and an export overwrites nothing" in result.stderr
    assert list(to.iterdir()) == []


def test_a_folder_that_is_not_there_cannot_be_written_to(folder: Path, tmp_path: Path) -> None:
    result = audit("export", folder, "--to", tmp_path / "missing" / "bundle.zip")

    assert result.exit_code == 2
    assert "Choose another place with --to." in result.stderr


def test_a_log_that_does_not_verify_is_not_exported(log: ALog, folder: Path, to: Path) -> None:
    (folder / log.names[9]).write_bytes(log.objects[log.names[9]][:-1])
    before = sorted(to.parent.iterdir())

    result = audit("export", folder, "--period", PERIOD, "--to", to)

    assert result.exit_code == 1
    assert "The log does not verify. Segment 9 " in result.stderr
    assert sorted(to.parent.iterdir()) == before


def test_a_bundle_is_not_a_log_to_resume(folder: Path, to: Path, tmp_path: Path) -> None:
    audit("export", folder, "--to", to)

    result = audit("verify", to, "--save", tmp_path / "seen.json")

    assert result.exit_code == 2
    assert "--save and --resume work on logs, not on bundles." in result.stderr


# --- Parquet


def test_parquet_holds_the_events_of_each_class(tmp_path: Path, key: str) -> None:
    log = ALog()
    log.append([opened(log.signer)])
    log.append(the_story())
    to = tmp_path / "bundle"

    result = audit("export", log.lay(tmp_path / "trail"), "--to", to, "--parquet")

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (to / "parquet").iterdir()) == [
        "ocsf-3004-entity-management.parquet",
        "ocsf-3005-user-access-management.parquet",
    ]

    def read(name: str) -> list[tuple[Any, ...]]:
        columns = "idx, class_uid, message, metadata.uid, unmapped.curfew.story.requester"
        return duckdb.execute(f"SELECT {columns} FROM read_parquet(?)", [str(to / "parquet" / name)]).fetchall()  # noqa: S608  a constant

    rows = read("ocsf-3004-entity-management.parquet") + read("ocsf-3005-user-access-management.parquet")
    told = [json.loads(line) for line in log.lines]
    assert sorted(rows) == [
        (
            index,
            one["class_uid"],
            one["message"],
            one["metadata"]["uid"],
            one["unmapped"]["curfew"].get("story", {}).get("requester"),
        )
        for index, one in enumerate(told)
    ]
    assert audit("verify", to, "--key", key).exit_code == 0


def test_without_the_extra_parquet_is_told_how_to_have_it(
    folder: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    result = audit("export", folder, "--to", to, "--parquet")

    assert result.exit_code == 2
    assert "--parquet needs DuckDB: pip install duckdb" in result.stderr
