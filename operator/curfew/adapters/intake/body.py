"""The body of one request, read within bounds and accounted for."""

import asyncio

import aiohttp
from aiohttp import web

from curfew.adapters.intake.answers import NotTaken
from curfew.adapters.intake.held import Full, HeldBytes
from curfew.adapters.intake.settings import WebhookSettings
from curfew.adapters.intake.shortening import StringShortener
from curfew.ports import IntakeRefusal


class Body:
    """The body of one request. If it is too large, its long strings are cut; that nearly always makes it small."""

    def __init__(self, settings: WebhookSettings, held: HeldBytes, source: str) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self._held = held
        self._source = source
        self._reserved = 0
        self._seen = 0  # bytes that came
        self._size = 0  # bytes that are kept
        self._chunks: list[bytes] = []
        self._shortener: StringShortener | None = None

    async def read(self, request: web.BaseRequest) -> bytes:
        """Return it, or raise `NotTaken`."""
        announced = request.content_length or 0
        if announced > self._settings.most_sent:
            raise self._too_large()
        self._reserve(announced)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                async for chunk in request.content.iter_any():
                    self._add(chunk)
        except TimeoutError as error:
            raise NotTaken(
                IntakeRefusal.TOO_SLOW, f"The body did not arrive within {self._settings.body_seconds:g} s."
            ) from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            raise NotTaken(IntakeRefusal.DISCONNECTED, "The body ended too early.") from error
        if not self._seen:
            raise NotTaken(IntakeRefusal.MALFORMED, "The body is empty.")
        return b"".join(self._chunks)

    def release(self) -> None:
        """Account for it no longer."""
        self._held.give_back(self._source, self._reserved)
        self._reserved = 0

    def _add(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        if self._seen > self._settings.most_sent:
            raise self._too_large()
        if self._shortener is not None:
            chunk = self._shortener.feed(chunk)
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._reserve(self._size)
        if self._size > self._settings.most_body and self._shortener is None:
            self._shortener = StringShortener()
            self._chunks = [self._shortener.feed(kept) for kept in self._chunks]
            self._size = sum(map(len, self._chunks))
        if self._size > self._settings.most_body:
            raise self._too_large()

    def _reserve(self, size: int) -> None:
        """Account for so many bytes, or as many as are ever kept."""
        more = min(size, self._settings.most_body) - self._reserved
        if more > 0:
            try:
                self._held.add(self._source, more)
            except Full as error:
                raise NotTaken(
                    IntakeRefusal.OVERLOADED, "Too many bytes wait to be recorded. Send it again later."
                ) from error
            self._reserved += more

    def _too_large(self) -> NotTaken:
        return NotTaken(
            IntakeRefusal.TOO_LARGE,
            f"The body has more than {self._settings.most_body:,} bytes, even with long strings cut. "
            "Send fewer events at a time (--audit-webhook-batch-max-size).",
        )
