"""What tests of the intake need: a sink that remembers, an observer that counts, and the files of a server."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from curfew.adapters.intake.settings import WebhookSettings
from curfew.ports import Batch, IntakeError, IntakeRefusal
from tools.servers.pki import Authority, Identity, write_private
from tools.servers.ports import LOOPBACK

TOKEN: Final = "correct-horse-battery-staple"
OTHER_TOKEN: Final = "another-horse-battery-staple"
LINES_TOKEN: Final = "database-horse-battery-staple"


class Taken:
    """A sink that remembers what it took. It raises the errors that it is given, one for each batch, before it takes."""

    def __init__(self, *errors: IntakeError) -> None:
        self.batches: list[Batch] = []
        self.errors = list(errors)
        self.is_open = asyncio.Event()  # while it is not set, nothing returns
        self.is_open.set()
        self.under_way = 0

    async def take(self, batch: Batch) -> None:
        self.under_way += 1
        try:
            await self.is_open.wait()
        finally:
            self.under_way -= 1
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(batch)

    @property
    def bodies(self) -> list[bytes]:
        return [batch.body for batch in self.batches]

    @property
    def text(self) -> bytes:
        return b"".join(self.bodies)


class Counted:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.refusals: Counter[tuple[IntakeRefusal, str]] = Counter()
        self.taken_of: Counter[str] = Counter()
        self.bytes = 0
        self.held: list[int] = [0]
        self.connections: list[int] = [0]

    def taken(self, source: str, size: int, seconds: float) -> None:
        assert seconds >= 0
        self.taken_of[source] += 1
        self.bytes += size

    def refused(self, reason: IntakeRefusal, source: str = "") -> None:
        self.refusals[reason, source] += 1

    def holding(self, size: int) -> None:
        self.held.append(size)

    def connected(self, number: int) -> None:
        self.connections.append(number)

    def times(self, reason: IntakeRefusal) -> int:
        """How often that was the reason, whoever sent it."""
        return sum(count for (why, _), count in self.refusals.items() if why is reason)


class Keys:
    """The files of a server, and the authorities behind them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Authority("servers")
        self.clients = Authority("clients")
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.ca, self.tokens = folder / "clients.crt", folder / "tokens"
        self.issue()
        self.ca.write_bytes(self.clients.certificate)
        self.tokens.write_text(f"{TOKEN}\n")
        self.lines_tokens = folder / "lines-tokens"
        self.lines_tokens.write_text(f"{LINES_TOKEN}\n")

    def issue(self) -> None:
        """Give the server a new certificate and key."""
        identity = self.servers.server("monitor", [LOOPBACK])
        self.certificate.write_bytes(identity.certificate)
        write_private(self.key, identity.key)

    def settings(self, **changes: Any) -> WebhookSettings:
        """Return settings that are quick to notice a change."""
        settings = WebhookSettings(
            LOOPBACK,
            0,
            self.certificate,
            self.key,
            self.ca,
            tokens=self.tokens,
            lines_tokens=self.lines_tokens,
            look_seconds=0.02,
        )
        return replace(settings, **changes)

    def trusting(self, identity: Identity | None = None) -> ssl.SSLContext:
        """Return what a client needs that trusts the server, and that has a certificate if one is given."""
        tls = ssl.create_default_context(cadata=self.servers.certificate.decode())
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # these have no authority key identifier
        if identity is not None:
            file = write_private(self.folder / "client.pem", identity.certificate + identity.key)
            tls.load_cert_chain(file)
        return tls


async def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds, or fail."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  what is waited for happens in a process, a thread or the kernel
            await asyncio.sleep(0.005)


def event(number: int, size: int = 300) -> bytes:
    """Return a line of about that size that no other number has."""
    return b'{"kind":"Event","auditID":"%08d","requestURI":"%s"}\n' % (number, b"x" * max(0, size - 60))


def numbers(lines: Sequence[bytes]) -> list[int]:
    """Return the numbers of such lines."""
    return [int(line.split(b'"auditID":"', 1)[1][:8]) for line in lines]


def largest_event() -> bytes:
    """Return a line of 25 MiB: what becomes of a request with as many & in its address as fit."""
    long = b"\\u0026" * 2**20
    return b'{"requestURI":"/%s","name":"%s","message":"%s","details":"%s","auditID":"its-own"}\n' % ((long,) * 4)
