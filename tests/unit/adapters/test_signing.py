"""A key that somebody else holds signs as one of our own does, and whatever goes wrong there is said in a sentence."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner

from curfew.adapters.signing import HeldSigner
from curfew.audit.checkpoint import Checkpoint, Ed25519Signer, KeyRefused, SigningFailed, open_note, sign_note

NAME = "curfew.dev/log/main"
KEY = Ed25519PrivateKey.from_private_bytes(bytes([5] * 32))
ANOTHER = Ed25519PrivateKey.from_private_bytes(bytes([6] * 32))


def private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Return the URI of a key in a file."""
    (tmp_path / "key.pem").write_bytes(private_pem(KEY))
    return f"file2:{tmp_path}/key.pem"


def test_it_signs_as_the_key_itself_would(uri: str) -> None:
    held = HeldSigner.connect(NAME, uri, public_pem(KEY.public_key()))
    checkpoint = Checkpoint(NAME, 7, bytes(32))

    assert held.is_remote
    assert held.verifier == Ed25519Signer(NAME, KEY).verifier
    assert sign_note(checkpoint, held) == sign_note(checkpoint, Ed25519Signer(NAME, KEY))
    assert open_note(sign_note(checkpoint, held), held.verifier) == checkpoint


@pytest.mark.parametrize(
    ("uri", "public_key", "why"),
    [
        (
            "file2:/nowhere/key.pem",
            public_pem(KEY.public_key()),
            "the signer for file2: does not accept the URI: .*not found in '/nowhere",
        ),
        ("vault:x", public_pem(KEY.public_key()), "no signer for vault: URIs; use one of file2, gcpkms, "),
        ("hv:curfew/1", public_pem(KEY.public_key()), "the signer for hv: does not accept the URI: .*hvac"),
        ("file2:{}", "rubbish", "publicKey is not valid: it is not a public key in PEM"),
        (
            "file2:{}",
            public_pem(rsa.generate_private_key(65537, 2048).public_key()),
            "publicKey is not valid: it is a public key, but not an Ed25519 key",
        ),
        (
            "file2:{}",
            public_pem(ANOTHER.public_key()),
            "the signer for file2: does not accept the URI: .*does not match",
        ),
    ],
    ids=["no file", "no such holder", "its library is missing", "no key", "an RSA key", "another key"],
)
def test_what_cannot_be_used_is_told_at_the_start(tmp_path: Path, uri: str, public_key: str, why: str) -> None:
    (tmp_path / "key.pem").write_bytes(private_pem(KEY))

    with pytest.raises(KeyRefused, match=why):
        HeldSigner.connect(NAME, uri.format(tmp_path / "key.pem"), public_key)


def test_without_the_extra_it_is_said_how_to_get_it(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "securesystemslib.signer", None)

    with pytest.raises(KeyRefused, match=r"pip install securesystemslib"):
        HeldSigner.connect(NAME, uri, public_pem(KEY.public_key()))


def test_a_holder_that_fails_is_a_failure_to_sign(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldSigner.connect(NAME, uri, public_pem(KEY.public_key()))

    def sign(_: bytes) -> None:
        raise ConnectionError("503\n sealed")

    monkeypatch.setattr(held._holder, "sign", sign)
    with pytest.raises(SigningFailed, match=r"^The holder of the signing key did not sign: 503 sealed\.$"):
        held.sign(b"x")


def test_a_holder_that_signs_with_another_key_is_not_believed(uri: str) -> None:
    held = HeldSigner.connect(NAME, uri, public_pem(KEY.public_key()))
    there = HeldSigner(Ed25519Signer(NAME, ANOTHER).verifier, held._holder, lambda: held._holder)

    with pytest.raises(SigningFailed, match="with another key than the settings state"):
        there.sign(b"x")


def test_a_holder_that_fails_is_found_anew_with_the_credentials_of_by_then(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is over is in the environment until another one is put there."""

    class Vault(CryptoSigner):
        """As hvac: takes the token when it is made."""

        @classmethod
        def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, secrets_handler: Any = None) -> Any:
            made = super().from_priv_key_uri(priv_key_uri.replace("vault:", "file2:"), public_key)
            token, sign = os.environ["VAULT_TOKEN"], made.sign

            def checked(payload: bytes) -> Any:
                if token != os.environ["GOOD_TOKEN"]:
                    raise PermissionError("permission denied")
                return sign(payload)

            made.sign = checked  # type: ignore[method-assign]  # of this one object
            return made

    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "vault", Vault)
    monkeypatch.setenv("VAULT_TOKEN", "first")
    monkeypatch.setenv("GOOD_TOKEN", "first")
    held = HeldSigner.connect(NAME, uri.replace("file2:", "vault:"), public_pem(KEY.public_key()))
    held.sign(b"x")

    monkeypatch.setenv("GOOD_TOKEN", "second")
    with pytest.raises(SigningFailed, match="permission denied"):
        held.sign(b"x")
    monkeypatch.setenv("VAULT_TOKEN", "second")
    with pytest.raises(SigningFailed, match="permission denied"):
        held.sign(b"x")  # it had been found anew before the token was there
    held.sign(b"x")
