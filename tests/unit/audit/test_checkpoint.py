"""Signed notes and keys are those of C2SP, and what is not exactly one is refused with a sentence."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from curfew.audit.checkpoint import Checkpoint, Ed25519Signer, KeyRefused, NoteRefused, Verifier, open_note, sign_note
from tests.support.logs import a_signer

ROOT = hashlib.sha256(b"").digest()
CHECKPOINT = Checkpoint("curfew.dev/log/main", 7, ROOT)

# The example of C2SP signed-note, in the form that Go's golang.org/x/mod/sumdb/note reads and writes.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_a_checkpoint_is_read_back_from_its_note() -> None:
    for extensions in ((), ("one more line", "and another")):
        checkpoint = Checkpoint("curfew.dev/log/main", 12345, ROOT, extensions)

        assert open_note(sign_note(checkpoint, a_signer()), a_signer().verifier) == checkpoint


def test_a_note_is_as_c2sp_says() -> None:
    note = sign_note(CHECKPOINT, a_signer())

    body, signatures = note.split("\n\n")
    assert body == f"curfew.dev/log/main\n7\n{base64.b64encode(ROOT).decode()}"
    dash, name, signature = signatures.rstrip("\n").split(" ")
    assert (dash, name) == ("—", "curfew.dev/log/main")
    raw = base64.b64decode(signature)
    key = a_signer().verifier.public_key
    assert raw[:4] == hashlib.sha256(b"curfew.dev/log/main\n\x01" + key).digest()[:4]
    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], f"{body}\n".encode())


def test_keys_and_signatures_are_those_of_other_implementations() -> None:
    verifier = Verifier.parse(GO_KEY)
    signature = base64.b64decode(GO_SIGNATURE)

    assert str(verifier) == GO_KEY
    assert signature[:4] == verifier.key_hash
    verifier.check(signature[4:], GO_TEXT.encode())


def test_signatures_of_others_are_passed_over() -> None:
    """A witness may have signed too, and a key may have been exchanged: the name is the same and the hash another."""
    note = sign_note(CHECKPOINT, a_signer(seed=2))
    ours = sign_note(CHECKPOINT, a_signer()).split("\n\n")[1]
    witness = f"— witness.example {GO_SIGNATURE}\n"

    assert open_note(note + witness + ours, a_signer().verifier) == CHECKPOINT


def test_no_byte_of_a_note_can_be_another() -> None:
    note = sign_note(CHECKPOINT, a_signer())
    for index in range(len(note)):
        altered = note[:index] + chr(ord(note[index]) ^ 1) + note[index + 1 :]
        with pytest.raises(NoteRefused):
            open_note(altered, a_signer().verifier)


def _signed(body: str) -> str:
    """Sign any text, as an honest log never would."""
    signer = a_signer()
    signature = base64.b64encode(signer.verifier.key_hash + signer.sign(body.encode())).decode()
    return f"{body}\n— {signer.verifier.name} {signature}\n"


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("", "not a signed note"),
        ("a\n1\nb\n", "not a signed note"),
        ("a\n1\nb\n\n", "not a signed note"),
        ("a\n1\nb\n\n— name", "not a signed note"),
        ("a\n1\nb\n\nno dash\n", "malformed"),
        ("a\n1\nb\n\n— name !!!\n", "not signed by key curfew.dev/log/main"),
        ("a\n1\nb\n\n— curfew.dev/log/main !!!\n", "not base64"),
        ("a\n1\nb\n\n— curfew.dev/log/main \u00e9\n", "not base64"),
        (_signed("a\n1\n"), "at least three lines"),
        (_signed("a\n01\nAA==\n"), "not a plain number"),
        (_signed("a\n-1\nAA==\n"), "not a plain number"),
        (_signed("a\n\u0661\nAA==\n"), "not a plain number"),
        (_signed("a\n" + "9" * 5000 + "\nAA==\n"), "not a plain number"),
        (_signed("a\n1\nAA==\n"), "1 bytes, not 32"),
        (_signed("a\n1\nAB==\n"), "only valid base64 form"),
        (_signed("a\n1\n***\n"), "not base64"),
    ],
)
def test_what_is_not_a_checkpoint_is_refused_and_says_why(note: str, why: str) -> None:
    with pytest.raises(NoteRefused, match=why):
        open_note(note, a_signer().verifier)


def test_a_verifier_key_is_read_back() -> None:
    signer = a_signer()

    assert Verifier.parse(signer.verifier_key) == signer.verifier
    assert Verifier.parse(f"\n{signer.verifier_key} \n") == signer.verifier


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has the form"),
        ("name+c74f20a3", "has the form"),
        ("name+c74f20a3+\u00e9", "not base64"),
        ("name+c74f20a3+A", "not base64"),
        ("name+c74f20a3+AA==", "not an Ed25519 key"),
        ("PeterNeumann+c74f20a3+AhpcyQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "not an Ed25519 key"),
        ("PeterNeumenn+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "was altered"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "was altered"),
    ],
)
def test_what_is_not_a_verifier_key_is_refused_and_says_why(text: str, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        Verifier.parse(text)


def test_a_signer_is_read_from_pem() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    signer = Ed25519Signer.from_pem("curfew.dev/log/main", pem)

    assert signer.verifier_key == a_signer().verifier_key


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        pytest.param(b"", "not an unencrypted private key", id="nothing"),
        pytest.param(
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            "not an unencrypted private key",
            id="encrypted",
        ),
        pytest.param(
            x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "not an Ed25519 key",
            id="another curve",
        ),
        pytest.param(
            rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "not an Ed25519 key",
            id="RSA",
        ),
    ],
)
def test_what_is_not_a_signing_key_is_refused_and_says_why(pem: bytes, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        Ed25519Signer.from_pem("curfew.dev/log/main", pem)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b"])
def test_a_key_s_name_cannot_break_a_note(name: str) -> None:
    with pytest.raises(KeyRefused):
        Ed25519Signer(name, ed25519.Ed25519PrivateKey.generate())


def test_a_secret_key_is_not_shown() -> None:
    assert "01010101" not in repr(a_signer())
    assert "AQEB" not in repr(a_signer())
