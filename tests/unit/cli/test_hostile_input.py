"""Whatever the audit commands are given, they answer with a sentence and one of their exit codes.

1 means that there is evidence of tampering, 3 that what was given cannot be read. How little memory they take is in
tests/integration/test_under_512_mib.py.
"""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from curfew.audit import faults
from curfew.cli import main
from curfew.reader import bundle, bundle_files
from tests.support.logs import ALog, a_log


def audit(*arguments: object) -> tuple[int, str]:
    """Run `curfew audit` and return its exit code and all that it prints; a traceback fails the test."""
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def log() -> ALog:
    """Return a log of some segments."""
    return a_log(2, 0, 3)


@pytest.fixture
def folder(log: ALog, tmp_path: Path) -> Path:
    """Return the folder that it lies in."""
    return log.lay(tmp_path / "trail")


@pytest.fixture
def exported(folder: Path, tmp_path: Path) -> Path:
    """Return a bundle of it, in a folder."""
    to = tmp_path / "bundle"
    assert audit("export", folder, "--to", to)[0] == 0
    return to


def zipped(exported: Path, to: Path, **kwargs: Any) -> Path:
    """Return a bundle as a zip file."""
    with zipfile.ZipFile(to, "w", **kwargs) as into:
        for path in sorted(exported.rglob("*")):
            if path.is_file():
                into.write(path, path.relative_to(exported).as_posix())
    return to


# --- a log


def put_a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("put", [put_a_link, put_a_pipe])
@pytest.mark.parametrize("command", ["verify", "search", "tail", "report", "key", "export"])
def test_what_is_no_file_among_segments_cannot_be_read(
    log: ALog, folder: Path, tmp_path: Path, put: Callable[[Path], None], command: str
) -> None:
    (path := folder / log.names[1]).unlink()
    put(path)

    besides: dict[str, list[object]] = {
        "export": ["--to", tmp_path / "to"],
        "report": ["--framework", "soc2", "--period", "2026-11", "--to", tmp_path / "to"],
    }
    code, output = audit(command, folder, *besides.get(command, []))

    assert (code, f"{path} is not a regular file" in output) == (3, True)


def test_a_thousand_strangers_are_named_and_more_are_counted(log: ALog, folder: Path) -> None:
    for number in range(1500):
        (folder / f"v1/log=main/{number}.txt").touch()

    code, output = audit("verify", folder, "--all")

    assert code == 1
    assert "There are 1,500 objects that do not belong to log main; only 1,000 of them are listed." in output
    assert output.count("does not belong to log main") == 1000


def test_only_so_many_faults_are_listed(log: ALog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "MOST_FINDINGS", 20)
    within = (folder / log.names[1]).parent
    for number in range(50):
        (within / f"000000000001-{number:016x}.jsonl.zst").touch()

    code, output = audit("verify", folder, "--all")

    assert (code, output.count("claims the place of segment 1")) == (1, 20)
    assert "has 30 more faults, which are not listed" in output


def test_only_so_many_segments_that_are_not_good_are_named_by_tail(log: ALog, folder: Path) -> None:
    within = (folder / log.names[1]).parent
    for number in range(150):
        (within / f"{10**11 + number:012d}-{number:016x}.jsonl.zst").touch()

    code, output = audit("tail", folder)

    assert (code, output.count("and is not shown")) == (1, 100)
    assert "100 segments could not be shown." in output


# --- a bundle


def of_manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        told = json.loads(data)
        change(told)
        return json.dumps(told).encode()

    return changed


MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "nested deeply": lambda _: b"[" * 100_000,
    "nested deeply in a value": lambda data: data[:-3] + b',"x":' + b'{"a":' * 100_000,
    "a number that is not finite": lambda data: data.replace(b'"size": ', b'"size": 1e999, "was": ', 1),
    "a number of many digits": lambda data: data.replace(b'"size": ', b'"size": ' + b"9" * 5000 + b', "was": ', 1),
    "a fraction": lambda data: data.replace(b'"size": ', b'"size": 1.5, "was": ', 1),
    "not a number": lambda data: data.replace(b'"size": ', b'"size": NaN, "was": ', 1),
    "no text": lambda _: b"\xff\xfe{}",
    "a list": lambda _: b"[]",
    "null": lambda _: b"null",
    "millions of values": lambda _: b"[" + b"0," * 3_000_000 + b"0]",
    "a time without a zone": of_manifest(lambda told: told["period"].update(begin="2026-11-23T00:00:00")),
    "no time": of_manifest(lambda told: told["period"].update(end="tomorrow")),
    "a time before all time": of_manifest(lambda told: told["period"].update(end="0001-01-01T00:00:00+14:00")),
    "a time that is a number": of_manifest(lambda told: told["period"].update(end=5)),
    "no period": of_manifest(lambda told: told.pop("period")),
    "files as a list": of_manifest(lambda told: told.update(files=[])),
    "a file that is none": of_manifest(lambda told: told["files"].update(x=None)),
    "a start elsewhere": of_manifest(lambda told: told.update(start="../../../../../dev/zero")),
    "a start that is a number": of_manifest(lambda told: told.update(start=7)),
    "a log that is a number": of_manifest(lambda told: told.update(log=7)),
    "a key that is none": of_manifest(lambda told: told.update(key="x")),
    "another kind": of_manifest(lambda told: told.update(schema="curfew.export/v2")),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_is_none_cannot_be_read(exported: Path, case: str) -> None:
    path = exported / "manifest.json"
    path.write_bytes(MANIFESTS[case](path.read_bytes()))

    code, output = audit("verify", exported)

    assert (code, f"Error: The bundle {exported} cannot be read: " in output) == (3, True), output


def test_a_manifest_larger_than_any_is_not_read(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_MANIFEST", 100)

    code, output = audit("verify", exported)
    assert (code, "its manifest.json is larger than 100 bytes" in output) == (3, True)


def patched(data: bytes, entry_at: int, central_at: int, value: bytes) -> bytes:
    """Return a zip file with a field of its first entry changed, in the entry and in the list of entries."""
    central = data.index(b"PK\1\2")
    changed = bytearray(data)
    changed[entry_at : entry_at + len(value)] = value
    changed[central + central_at : central + central_at + len(value)] = value
    return bytes(changed)


ZIPS: dict[str, Callable[[bytes], bytes]] = {
    "encrypted": lambda data: patched(data, 6, 8, b"\1\0"),
    "packed with bzip2": lambda data: patched(data, 8, 10, struct.pack("<H", zipfile.ZIP_BZIP2)),
    "packed with what nobody knows": lambda data: patched(data, 8, 10, struct.pack("<H", 77)),
    "of another version": lambda data: patched(data, 4, 6, struct.pack("<H", 99)),
    "no end": lambda data: data[:-30],
    "nothing": lambda _: b"",
    "no zip file": lambda _: b"x" * 1000,
    "a list that is too long": lambda data: data[:-10] + b"\xff\xff\xff\x7f" + data[-6:],
    "a list that begins elsewhere": lambda data: data[:-6] + b"\xff\xff\xff\x7f" + data[-2:],
    "only an end": lambda data: data[-22:],
}


@pytest.mark.parametrize("case", ZIPS)
def test_a_zip_file_that_no_bundle_has_cannot_be_read(exported: Path, tmp_path: Path, case: str) -> None:
    to = zipped(exported, tmp_path / "bundle.zip")
    to.write_bytes(ZIPS[case](to.read_bytes()))

    code, output = audit("verify", to)

    assert (code, f"Error: The bundle {to} cannot be read: " in output) == (3, True), output


def test_a_zip_file_that_holds_a_name_twice_cannot_be_read(exported: Path, tmp_path: Path) -> None:
    to = zipped(exported, tmp_path / "bundle.zip")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(to, "a") as into:
        into.writestr("records.csv", b"another")

    code, output = audit("verify", to)
    assert (code, "it holds 'records.csv' twice" in output) == (3, True)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "C:\\x", "log/../../x", "a\nb", "\x1b[31m"])
def test_a_name_that_leads_out_of_a_zip_file_leads_nowhere(exported: Path, tmp_path: Path, name: str) -> None:
    to = zipped(exported, tmp_path / "bundle.zip")
    with zipfile.ZipFile(to, "a") as into:
        into.writestr(zipfile.ZipInfo(name), b"x")

    code, output = audit("verify", to)
    assert (code, "is in the bundle, but not in the manifest" in output) == (1, True)
    assert "\x1b" not in output


def test_a_zip_file_of_too_many_files_is_not_read(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = zipped(exported, tmp_path / "bundle.zip")
    monkeypatch.setattr(bundle_files, "MOST_ZIPPED", 3)

    code, output = audit("verify", to)
    assert (code, "it lists more than 3 files. Unpack it, and give the folder" in output) == (3, True)


@pytest.mark.parametrize("put", [put_a_link, put_a_pipe])
@pytest.mark.parametrize("name", ["records.csv", "manifest.sig", "log/v1/log=main/x", "new"])
def test_what_is_no_file_in_a_bundle_is_not_what_was_handed_over(
    exported: Path, put: Callable[[Path], None], name: str
) -> None:
    (exported / name).unlink(missing_ok=True)
    put(exported / name)

    assert audit("verify", exported)[0] == 1


# --- what else is given


NO_ANCHORS = {
    "nested deeply": b"[" * 100_000,
    "nested deeply in YAML": b"- " * 100_000,
    "a number that is not finite": b'{"log":"main","index":1e999,"size":2,"root":"x"}',
    "a value tagged as a time": b"a: !!timestamp x\n",
    "a value tagged as a number": b"a: !!int x\n",
    "aliases of aliases": b"a: &a [x]\n"
    + b"".join(b"%c: &%c [*%c,*%c]\n" % (c + 1, c + 1, c, c) for c in range(97, 120)),
    "no text": b"\xff\xfe",
    "another type": b'{"log":["main"],"index":0,"size":1,"root":"0"}',
    "a lone surrogate": b'{"checkpoint":"\\ud800"}',
    "a checkpoint that is a list": b'{"checkpoint":[]}',
}


@pytest.mark.parametrize("case", NO_ANCHORS)
def test_an_anchor_that_is_none_is_a_wrong_command(folder: Path, tmp_path: Path, case: str) -> None:
    (path := tmp_path / "anchor").write_bytes(NO_ANCHORS[case])

    code, output = audit("verify", folder, "--anchor", path)

    assert (code, "Error: The anchor" in output) == (2, True), output


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"[" * 100_000,
        lambda _: b"\xff",
        lambda data: data.replace(b'"segment": 2', b'"segment": 1e999', 1),
        lambda data: data.replace(b'"segment": 2', b'"segment": "2"', 1),
        lambda data: data.replace(b'+00:00"', b'"'),
        lambda data: data.replace(b'"keys"', b'"kees"'),
    ],
)
def test_a_saved_state_that_is_none_is_a_wrong_command(
    folder: Path, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    saved = tmp_path / "saved.json"
    assert audit("verify", folder, "--save", saved)[0] == 0
    saved.write_bytes(change(saved.read_bytes()))

    code, output = audit("verify", folder, "--resume", saved)
    assert (code, f"The saved state in {saved} cannot be used: " in output) == (2, True), output


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"\n", b"\xff" * 100, b"", b"{}", b'{"index":1e999}\n', b"null\n"])
def test_a_proof_that_is_none_proves_nothing(tmp_path: Path, data: bytes) -> None:
    (path := tmp_path / "proof.json").write_bytes(data)

    code, output = audit("check-proof", path)
    assert (code, "NOT PROVED" in output) == (1, True)


def test_what_nobody_thought_of_is_no_accusation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("curfew.cli.audit.verify.open_location", fail)

    code, output = audit("verify", folder)
    assert (code, output) == (3, "Error: The input cannot be read: MemoryError: \n")
