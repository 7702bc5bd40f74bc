"""Who may send, and the server's own certificate: files that are read again when they change."""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from typing import Any

import structlog

from curfew.adapters.intake.settings import WebhookSettings
from curfew.adapters.intake.tokens import Digest, TokensUnusable, is_bearer, tokens_in
from curfew.settings.files import FileTooLarge, read_given

LARGEST = 256 * 1024
"""Most bytes of one file. A chain of certificates or a hundred tokens have fewer."""

_log = structlog.get_logger(__name__)


class CredentialsUnusable(Exception):
    """The files cannot be used. `str(error)` is a sentence for people."""


class MaySend(Flag):
    """What a sender may send. Whoever sends lines of a database must not be able to invent calls of the API server."""

    NOTHING = 0
    EVENTS = auto()  # audit events, as lists or as lines
    LINES = auto()  # lines of other systems, which a mapping reads


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the files held when they were read."""

    tls: ssl.SSLContext
    authority: bytes  # that certificates are verified against; empty if none are asked for
    common_names: frozenset[str]
    tokens: tuple[Digest, ...]
    lines_tokens: tuple[Digest, ...]

    def admit(self, certificate: dict[str, Any] | None, authorization: str) -> MaySend:
        """Return what a sender may send, by the certificate that its connection was verified with, or by its header."""
        admitted = MaySend.NOTHING
        if self._knows(certificate) or is_bearer(authorization, self.tokens):
            admitted |= MaySend.EVENTS
        if is_bearer(authorization, self.lines_tokens):
            admitted |= MaySend.LINES
        return admitted

    def _knows(self, certificate: dict[str, Any] | None) -> bool:
        if not certificate:
            return False
        if not self.common_names:
            return True
        names = {value for pairs in certificate["subject"] for kind, value in pairs if kind == "commonName"}
        return not names.isdisjoint(self.common_names)


class CredentialFiles:
    """The newest credentials that could be used."""

    def __init__(self, settings: WebhookSettings) -> None:
        """Read nothing yet."""
        self._settings = settings
        named = (settings.certificate, settings.key, settings.client_ca, settings.tokens, settings.lines_tokens)
        self._paths = tuple(path for path in named if path is not None)
        self._used = self._seen = b""
        self._current: Credentials
        self.trouble = ""
        """Why the newest files cannot be used, as a sentence; empty if they are in use."""

    @property
    def current(self) -> Credentials:
        """What is in use."""
        return self._current

    def load(self) -> None:
        """Read the files for the first time, or raise `CredentialsUnusable`."""
        if self._settings.client_ca is None and self._settings.tokens is None:
            raise CredentialsUnusable(
                "Nobody could send audit events: set the authority of client certificates, or a file of tokens"
            )
        self._used = self._seen = self._fingerprint()
        self._current = self._read()

    async def run(self, renewed: Callable[[], None]) -> None:
        """Look again and again; call `renewed` when other credentials are in use. A bad file changes nothing."""
        while True:
            await asyncio.sleep(self._settings.look_seconds)
            try:
                changed = await asyncio.to_thread(self.look)
            except CredentialsUnusable as error:
                if str(error) != self.trouble:
                    self.trouble = str(error)
                    _log.error("new credentials cannot be used; the old ones stay in use", problem=self.trouble)
                continue
            if self.trouble and self._seen == self._used:
                self.trouble = ""
                _log.info("the files of the credentials can be used again")
            if changed:
                _log.info("new credentials are in use")
                renewed()

    def look(self) -> bool:
        """Use the files if they have changed, and not since the last look: one that is being written is left alone.

        Raise `CredentialsUnusable` if they cannot be used.
        """
        found = self._fingerprint()
        is_steady, self._seen = found == self._seen, found
        if found == self._used or not is_steady:
            return False
        try:
            read = self._read()
        except CredentialsUnusable:
            if self._fingerprint() == found:
                raise
            return False
        # The files were read twice: what is used must be what was steady.
        if self._fingerprint() != found:
            return False
        self._current, self._used = read, found
        return True

    def _fingerprint(self) -> bytes:
        return hashlib.sha256(b"".join(hashlib.sha256(_content(path)).digest() for path in self._paths)).digest()

    def _read(self) -> Credentials:
        settings = self._settings
        tokens, lines_tokens = _tokens(settings.tokens), _tokens(settings.lines_tokens)
        if not set(tokens).isdisjoint(lines_tokens):
            raise CredentialsUnusable(
                f"{settings.lines_tokens} and {settings.tokens} hold the same token. Make another one for lines of other "
                "systems: who sends those must not be able to send audit events"
            )
        authority = b"" if settings.client_ca is None else _content(settings.client_ca)
        return Credentials(_tls(settings, authority), authority, settings.common_names, tokens, lines_tokens)


def _tokens(path: Path | None) -> tuple[Digest, ...]:
    try:
        return () if path is None else tokens_in(_content(path), path)
    except TokensUnusable as error:
        raise CredentialsUnusable(str(error)) from error


def _tls(settings: WebhookSettings, authority: bytes) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.options |= ssl.OP_NO_RENEGOTIATION
    tls.num_tickets = 0  # each connection is verified anew
    try:
        # The password is for a key that has one: without it, OpenSSL would ask at the terminal.
        tls.load_cert_chain(settings.certificate, settings.key, password="")
    except (OSError, ValueError) as error:
        raise CredentialsUnusable(
            f"{settings.certificate} and {settings.key} are not a certificate and its key in PEM without a password: "
            f"{_said(error)}"
        ) from error
    if settings.client_ca is not None:
        try:
            tls.load_verify_locations(cadata=authority.decode("ascii"))
        except (OSError, ValueError) as error:
            raise CredentialsUnusable(f"{settings.client_ca} holds no certificates in PEM: {_said(error)}") from error
        # Optional: who has none, or only a token, gets an answer in words.
        tls.verify_mode = ssl.CERT_OPTIONAL
    return tls


def _content(path: Path) -> bytes:
    try:
        return read_given(path, LARGEST)
    except FileTooLarge as error:
        raise CredentialsUnusable(str(error)) from error
    except OSError as error:
        raise CredentialsUnusable(f"{path} cannot be read: {error.strerror}") from error


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "it cannot be parsed"
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else "it is not text"
