"""Whatever is altered in what an auditor is handed, the commands answer with one of their exit codes and no traceback.

Some hundred mutations of each kind: bytes flipped, cut out, doubled, replaced by what readers choke on. Each is made of a
number that stands in the message of a failure, so that it can be made again.
"""

import random
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from curfew.cli import main
from tests.support.logs import ALog, a_log

TIMES = 60

CHOKING = [
    b"[" * 2000,
    b'{"a":' * 2000,
    b"1e999",
    b"-1",
    b"9" * 5000,
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b"NaN",
    b"\xff\xfe",
    b"\x00",
    b"\xed\xa0\x80",
    b"\n",
    b"\x1b[31m",
    b"../../../../etc/passwd",
    b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59.999999Z",
    b"2026-11-23T00:00:00",
]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return some bytes after one to three changes."""
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 8, 64))
        match rng.randrange(5):
            case 0 if place < len(data):
                data = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
            case 1:
                data = data[:place] + data[place + length :]
            case 2:
                data = data[:place] + data[place : place + length] + data[place:]
            case 3:
                data = data[:place]
            case _:
                value, begin = rng.choice(CHOKING), place
                # Between two of the signs that part the values of a text, if it is one.
                while begin and data[begin - 1 : begin] not in (b":", b",", b"[", b'"', b" "):
                    begin -= 1
                end = begin
                while end < len(data) and data[end : end + 1] not in (b",", b"]", b"}", b'"', b"\n"):
                    end += 1
                data = data[:begin] + value + data[end:]
    return data


def answered(made_of: str, *arguments: object) -> int:
    """Run `curfew audit`, and return its exit code: one of those that it has, without a traceback."""
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{made_of}: {result.exception!r}") from result.exception
    assert result.exit_code in (0, 1, 2, 3), made_of
    assert result.output.strip(), f"{made_of}: nothing is said"
    assert "\x1b" not in result.output, f"{made_of}: what is handed over writes to the terminal"
    return result.exit_code


@pytest.fixture(scope="module")
def log() -> ALog:
    """Return a log of some segments."""
    return a_log(2, 0, 3)


@pytest.fixture(scope="module")
def handed(log: ALog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that can be handed over: log, bundle, zip file, proof, saved state, anchor, key."""
    folder = tmp_path_factory.mktemp("handed")
    trail = log.lay(folder / "trail")
    (folder / "key").write_text(str(log.verifier))
    (folder / "anchor").write_text(log.receipt(1).compact())
    (folder / "anchor.json").write_text(f'{{"status": {{"grant": {{"receipt": {_json(log)}}}}}}}')
    made = "made"
    assert answered(made, "export", trail, "--to", folder / "bundle") == 0
    assert answered(made, "export", trail, "--to", folder / "bundle.zip") == 0
    assert answered(made, "prove", trail, "1", "--to", folder / "proof") == 0
    assert answered(made, "verify", trail, "--save", folder / "saved") == 0
    return folder


def _json(log: ALog) -> str:
    receipt = log.receipt(1)
    return f'{{"log": "main", "index": {receipt.index}, "size": {receipt.size}, "root": "{receipt.root}"}}'


def numbers(kind: str) -> Sequence[str]:
    """Return what mutations of a kind are made of."""
    return [f"{kind} {number}" for number in range(TIMES)]


FILES = {
    "proof": ["check-proof", "{}"],
    "saved": ["verify", "{folder}/trail", "--resume", "{}"],
    "anchor": ["verify", "{folder}/trail", "--anchor", "{}"],
    "anchor.json": ["verify", "{folder}/trail", "--anchor", "{}"],
    "key": ["verify", "{folder}/trail", "--key-file", "{}"],
    "bundle.zip": ["verify", "{}"],
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_altered(handed: Path, tmp_path: Path, name: str) -> None:
    data = (handed / name).read_bytes()
    codes = set()
    for made_of in numbers(name):
        (altered := tmp_path / name).write_bytes(mutated(random.Random(made_of), data))  # noqa: S311  nothing is secret
        codes.add(answered(made_of, *(part.format(altered, folder=handed) for part in FILES[name])))
    assert codes - {0}, "some are found"


@pytest.mark.parametrize("name", ["manifest.json", "records.jsonl", "log"])
def test_a_file_of_a_bundle_that_was_altered(handed: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(handed / "bundle", bundle := tmp_path / "bundle")
    paths = [path for path in sorted(bundle.rglob("*")) if path.is_file() and path.relative_to(bundle).parts[0] == name]
    codes = set()
    for made_of in numbers(f"bundle {name}"):
        rng = random.Random(made_of)  # noqa: S311  nothing is secret
        path = rng.choice(paths)
        data = path.read_bytes()
        path.write_bytes(mutated(rng, data))
        codes.add(answered(made_of, "verify", bundle))
        path.write_bytes(data)
    assert codes & {1, 3}


@pytest.mark.parametrize("command", ["verify", "search", "tail", "key"])
def test_a_segment_that_was_altered(handed: Path, tmp_path: Path, command: str) -> None:
    shutil.copytree(handed / "trail", trail := tmp_path / "trail")
    paths = [path for path in sorted(trail.rglob("*")) if path.is_file()]
    for made_of in numbers(f"log {command}"):
        rng = random.Random(made_of)  # noqa: S311  nothing is secret
        path = rng.choice(paths)
        data = path.read_bytes()
        path.write_bytes(changed := mutated(rng, data))
        code = answered(made_of, command, trail)
        assert code == (1 if changed != data and command != "tail" else code), made_of
        path.write_bytes(data)


def test_names_in_a_zip_file_that_were_altered(handed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(handed / "bundle.zip") as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    for made_of in numbers("names"):
        rng = random.Random(made_of)  # noqa: S311  nothing is secret
        renamed = rng.choice([*files])
        name = mutated(rng, renamed.encode()).decode(errors="replace").replace("\0", "")[:500] or "x"
        with zipfile.ZipFile(to := tmp_path / "bundle.zip", "w") as into:
            for old, data in files.items():
                into.writestr(name if old == renamed else old, data)
        assert (answered(made_of, "verify", to) == 0) == (name == renamed), made_of
