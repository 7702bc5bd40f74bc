"""A signed statement of the size and the root of a log at one moment (C2SP tlog-checkpoint, in a C2SP signed note)."""

import base64
import functools
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
"""The algorithm's byte in a verifier key and in its hash (C2SP signed-note)."""

MAX_DIGITS = 16
"""Most digits of a log's size: JSON cannot express a longer number exactly."""


class NoteRefused(ValueError):
    """A signed note that is malformed, or not signed by the expected key. `str(error)` is the reason."""


class KeyRefused(ValueError):
    """A key that cannot be used. `str(error)` is the reason."""


class SigningFailed(Exception):
    """The holder of the key did not sign. `str(error)` is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read a verifier key, `name+hash+base64`, or raise `KeyRefused`."""
        if "PRIVATE KEY" in text:
            raise KeyRefused(
                "this is a private key, which nobody but Curfew should have; `curfew audit key FILE` prints the public one"
            )
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise KeyRefused("a verifier key has the form name+hash+base64")
        name, hash_, encoded = parts
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise KeyRefused(f"the last part of verifier key {name} is not base64: {error}") from error
        if key[:1] != ED25519 or len(key) != 33:
            raise KeyRefused(f"verifier key {name} is not an Ed25519 key")
        verifier = cls(name, key[1:])
        if verifier.key_hash.hex() != hash_:
            raise KeyRefused(f"verifier key {name} was altered: its hash is {verifier.key_hash.hex()}, not {hash_}")
        return verifier

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> "Verifier":
        """Read a public key in PEM, or raise `KeyRefused`."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise KeyRefused("it is not a public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyRefused("it is a public key, but not an Ed25519 key, and logs are signed only with Ed25519")
        return cls(name, key.public_bytes_raw())

    @property
    def key_hash(self) -> bytes:
        """The first four bytes of SHA-256(name || newline || algorithm || public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise `NoteRefused` unless the signature is this key's over that message."""
        try:
            _loaded(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteRefused(f"the signature is not that of key {self.name} ({self.key_hash.hex()})") from error


@functools.lru_cache(maxsize=64)
def _loaded(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


class Signer(Protocol):
    """Signs with a key that is held in this process, or elsewhere."""

    @property
    def verifier(self) -> Verifier:
        """The public key that belongs to it."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether the key is held elsewhere, so that signing takes long and can fail."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of a message, 64 bytes, or raise `SigningFailed`."""
        ...


class Ed25519Signer:
    """Signs with a private key that is held in memory."""

    is_remote = False

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not name or "+" in name or any(character.isspace() for character in name):
            raise KeyRefused(f"a key's name has neither spaces nor plus signs: {name!r}")
        self._key = key
        self._verifier = Verifier(
            name, key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        )

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> "Ed25519Signer":
        """Read a private key in PEM (PKCS #8), or raise `KeyRefused`."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyRefused(f"it is not an unencrypted private key in PEM: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyRefused(
                "it is a private key, but not an Ed25519 key; openssl genpkey -algorithm ed25519 makes one"
            )
        return cls(name, key)

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    @property
    def verifier_key(self) -> str:
        """The public key in the form that a verifier needs: `name+hash+base64`."""
        return str(self.verifier)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The size and the root of a log at one moment."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def body(self) -> str:
        """Return the text that is signed: origin, size, root, extensions, one on each line."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def sign_note(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return a checkpoint as a signed note."""
    body = checkpoint.body()
    signature = base64.b64encode(signer.verifier.key_hash + signer.sign(body.encode())).decode()
    return f"{body}\n\u2014 {signer.verifier.name} {signature}\n"


def open_note(text: str, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint in a note that the verifier's key signed, or raise `NoteRefused`."""
    body, separator, signatures = text.partition("\n\n")
    body += "\n"
    if not separator or not signatures.endswith("\n"):
        raise NoteRefused("it is not a signed note: text, an empty line, signatures")
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise NoteRefused(f"a signature line is malformed: {line!r}")
        if parts[1] != verifier.name:
            continue
        signature = decode_base64(parts[2], "a signature")
        if signature[:4] != verifier.key_hash:
            continue
        verifier.check(signature[4:], body.encode())
        return _parse_body(body)
    raise NoteRefused(f"it is not signed by key {verifier.name} ({verifier.key_hash.hex()})")


def claimed(text: str) -> Checkpoint:
    """Return the checkpoint in a note without checking the signature. Raise `NoteRefused` if it is no checkpoint."""
    body, separator, _ = text.partition("\n\n")
    if not separator:
        raise NoteRefused("it is not a signed note: text, an empty line, signatures")
    return _parse_body(f"{body}\n")


def _parse_body(body: str) -> Checkpoint:
    lines = body[:-1].split("\n")
    if len(lines) < 3:
        raise NoteRefused("a checkpoint has at least three lines: origin, size and root")
    origin, size, root, *extensions = lines
    if not size.isascii() or not size.isdigit() or len(size) > MAX_DIGITS or str(int(size)) != size:
        raise NoteRefused(f"the size of the log is not a plain number: {size!r}")
    decoded = decode_base64(root, "the root")
    if len(decoded) != 32:
        raise NoteRefused(f"the root has {len(decoded)} bytes, not 32")
    return Checkpoint(origin, int(size), decoded, tuple(extensions))


def decode_base64(text: str, what: str) -> bytes:
    """Return the bytes of a base64 text, if it is in its one correct form; else raise `NoteRefused` about `what`."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise NoteRefused(f"{what} is not base64: {error}") from error
    if base64.b64encode(decoded).decode() != text:
        raise NoteRefused(f"{what} is not in the only valid base64 form")
    return decoded
