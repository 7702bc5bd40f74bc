"""`curfew audit key` on a public key, and on a log."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from curfew.cli import main
from tests.support.logs import ALog, a_log, a_record, a_signer


def run(where: str, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["audit", "key", where, *arguments], prog_name="curfew")


def stored(log: ALog, folder: Path) -> Path:
    """Write a log into a folder."""
    for name, body in log.objects.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def test_a_public_key_in_pem_is_written_as_verify_wants_it(tmp_path: Path) -> None:
    public = Ed25519PublicKey.from_public_bytes(a_signer().verifier.public_key)
    (tmp_path / "public.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    assert run(str(tmp_path / "public.pem")).stdout == f"{a_signer().verifier}\n"


def test_a_key_can_come_from_standard_input() -> None:
    """So that a private key from a Secret need not lie in a file on the way."""
    public = Ed25519PublicKey.from_public_bytes(a_signer().verifier.public_key)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    result = CliRunner().invoke(main, ["audit", "key", "-"], input=pem, prog_name="curfew")

    assert result.stdout == f"{a_signer().verifier}\n"


def test_a_public_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    (tmp_path / "public.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    result = run(str(tmp_path / "public.pem"))

    assert result.exit_code == 2
    assert "it is a public key, but not an Ed25519 key" in " ".join(result.stderr.split())


def test_the_keys_of_a_log_are_told_with_where_each_begins(tmp_path: Path) -> None:
    log = a_log(1, 2)
    log.hand_over(a_signer(seed=2))
    log.append([a_record(7)])

    result = run(str(stored(log, tmp_path)))

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{a_signer().verifier}  from segment 0 and record 0 on",
        f"{a_signer(seed=2).verifier}  from segment 3 and record 4 on",
    ]


def test_a_log_that_does_not_verify_has_no_keys_to_tell(tmp_path: Path) -> None:
    log = a_log(1, 2, 3)
    folder = stored(log, tmp_path)
    (folder / log.names[1]).write_bytes(b"rubbish")

    result = run(str(folder))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Not verified: segment 1 ")


@pytest.mark.parametrize("where", ["absent.pem", "./absent"])
def test_what_is_not_there_is_told(where: str) -> None:
    result = run(where)

    assert result.exit_code == 2
    assert f"{where} is neither a file nor a folder" in result.stderr
