"""The signing keys that the settings name; keys held elsewhere are used through the signers of securesystemslib.

securesystemslib finds the signer by the scheme of its URI. Of its signers, these sign with Ed25519, which signed notes
need: `hv:KEY/VERSION` (Vault's or OpenBao's Transit engine) and `file2:PATH` (PKCS #8 in PEM).
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from curfew.audit.checkpoint import Ed25519Signer, KeyRefused, NoteRefused, Signer, SigningFailed, Verifier
from curfew.audit.segment import origin
from curfew.settings.audit import AuditSettings, SignerSettings
from curfew.settings.files import read_given

if TYPE_CHECKING:
    from securesystemslib.signer import Signer as Holder


def open_signers(audit: AuditSettings) -> tuple[Signer, Signer | None]:
    """Return the key that the settings name and the previous one, if they name one, or raise `KeyRefused`."""
    name = origin(audit.log)
    signer = _open(name, "audit.keyFile", audit.key_file, "audit.signer", audit.signer)
    previous = _open(
        name, "audit.previousKeyFile", audit.previous_key_file, "audit.previousSigner", audit.previous_signer
    )
    if signer is None:
        raise KeyRefused("audit.keyFile is missing")
    if previous is not None and previous.verifier == signer.verifier:
        raise KeyRefused("audit.previousKeyFile cannot be used: it is the same key as audit.keyFile")
    return signer, previous


MOST_KEY = 64 * 1024
"""Most bytes of a key file."""


def _open(name: str, in_file: str, file: Path | None, held_by: str, held: SignerSettings | None) -> Signer | None:
    """Open the key from the setting that is given, if any; `in_file` and `held_by` are the names of the settings."""
    try:
        if file is not None:
            return Ed25519Signer.from_pem(name, read_given(file, MOST_KEY))
        if held is not None:
            return HeldSigner.connect(name, held.uri, held.public_key)
    except (KeyRefused, OSError) as error:
        setting = f"{in_file} ({file})" if file is not None else held_by
        raise KeyRefused(f"{setting} cannot be used: {error}") from error
    return None


MISSING = "securesystemslib is not installed: pip install securesystemslib"


class HeldSigner:
    """Lets the holder of the private key sign, and accepts no signature that the public key does not confirm."""

    is_remote = True

    def __init__(self, verifier: Verifier, holder: "Holder", again: "Callable[[], Holder]") -> None:
        """`again` finds the holder again, with the credentials that the environment has by then."""
        self._verifier = verifier
        self._holder = holder
        self._again = again

    @classmethod
    def connect(cls, name: str, uri: str, public_key: str) -> "HeldSigner":
        """Find the holder of the key behind a URI, or raise `KeyRefused` if it cannot be used.

        `public_key` is the public half, in PEM. Nothing is signed yet, and most holders are not even contacted.
        """
        try:
            from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, SSlibKey  # an extra, and slow to load
            from securesystemslib.signer import Signer as Holders
        except ImportError as error:
            raise KeyRefused(MISSING) from error
        scheme = uri.partition(":")[0]
        if scheme not in SIGNER_FOR_URI_SCHEME:
            raise KeyRefused(f"there is no signer for {scheme}: URIs; use one of {', '.join(SIGNER_FOR_URI_SCHEME)}")
        try:
            verifier = Verifier.from_pem(name, public_key.encode())
        except KeyRefused as error:
            raise KeyRefused(f"publicKey is not valid: {error}") from error
        key = Ed25519PublicKey.from_public_bytes(verifier.public_key)
        try:
            again = partial(Holders.from_priv_key_uri, uri, SSlibKey.from_crypto(key))
            holder = again()
        except Exception as error:
            raise KeyRefused(f"the signer for {scheme}: does not accept the URI: {_said(error)}") from error
        return cls(verifier, holder, again)

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, or raise `SigningFailed`. Waits for the holder of the key."""
        try:
            signature = bytes.fromhex(self._holder.sign(message).signature)
        except Exception as error:
            # Its token may have expired, and there may be a new one: the next attempt starts with that.
            with suppress(Exception):
                self._holder = self._again()
            raise SigningFailed(f"The holder of the signing key did not sign: {_said(error)}.") from error
        try:
            self._verifier.check(signature, message)
        except NoteRefused as error:
            raise SigningFailed(
                "The holder of the signing key signed with another key than the settings state (audit.signer.publicKey)."
            ) from error
        return signature


def _said(error: Exception) -> str:
    """Return the text of a library's error, on one line and no longer than a person reads."""
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return said if len(said) <= 300 else f"{said[:300]}…"
