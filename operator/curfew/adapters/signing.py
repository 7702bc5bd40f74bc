"""Signing keys that somebody else holds: `curfew.audit.checkpoint.Signer` over the signers of securesystemslib.

securesystemslib finds the signer by the scheme of its URI. Of those that it has, these sign with Ed25519, which is what
signed notes are made of: `hv:KEY/VERSION` (Vault's or OpenBao's Transit engine) and `file2:PATH` (PKCS #8 in PEM).
"""

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from curfew.audit.checkpoint import KeyRefused, NoteRefused, SigningFailed, Verifier

if TYPE_CHECKING:
    from securesystemslib.signer import Signer as Holder

MISSING = "securesystemslib is not installed: pip install 'curfew[kms]'"


class HeldSigner:
    """Has whoever holds the private key sign, and believes no signature that the public key does not confirm."""

    is_remote = True

    def __init__(self, verifier: Verifier, holder: "Holder") -> None:
        self._verifier = verifier
        self._holder = holder

    @classmethod
    def connect(cls, name: str, uri: str, public_key: str) -> "HeldSigner":
        """Find who holds the key behind a URI; `public_key` is its other half in PEM. Raise `KeyRefused` where it cannot be used.

        Nothing is signed yet, and most holders are not even asked.
        """
        try:
            from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, SSlibKey  # an extra, and slow to load
            from securesystemslib.signer import Signer as Holders
        except ImportError as error:
            raise KeyRefused(MISSING) from error
        scheme = uri.partition(":")[0]
        if scheme not in SIGNER_FOR_URI_SCHEME:
            raise KeyRefused(f"there is no signer for {scheme}: URIs; there are {', '.join(SIGNER_FOR_URI_SCHEME)}")
        key = _read(public_key)
        verifier = Verifier(name, key.public_bytes_raw())
        try:
            holder = Holders.from_priv_key_uri(uri, SSlibKey.from_crypto(key))
        except Exception as error:  # noqa: BLE001  each library behind it has errors of its own
            raise KeyRefused(f"{scheme}: does not take it: {_said(error)}") from error
        return cls(verifier, holder)

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, or raise `SigningFailed`. Waits for whoever holds the key."""
        try:
            signature = bytes.fromhex(self._holder.sign(message).signature)
        except Exception as error:  # noqa: BLE001  each library behind it has errors of its own
            raise SigningFailed(f"Whoever holds the signing key did not sign: {_said(error)}.") from error
        try:
            self._verifier.check(signature, message)
        except NoteRefused as error:
            raise SigningFailed(
                "Whoever holds the signing key signed with another key than the settings say (audit.signer.publicKey)."
            ) from error
        return signature


def _read(pem: str) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError) as error:
        raise KeyRefused("publicKey is not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyRefused("publicKey is a public key, but not an Ed25519 key, and the log is signed with no other")
    return key


def _said(error: Exception) -> str:
    """Return what a library says, on one line and no longer than a person reads."""
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return said if len(said) <= 300 else f"{said[:300]}…"
