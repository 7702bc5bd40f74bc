"""One request: who sends it, where it goes, its body within bounds, and its way to the sink."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from curfew.adapters.intake.answers import NotTaken
from curfew.adapters.intake.body import Body
from curfew.adapters.intake.credentials import MaySend
from curfew.adapters.intake.held import HeldBytes
from curfew.adapters.intake.settings import WebhookSettings
from curfew.adapters.intake.sources import SourceRefused, Sources
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchSink, IntakeError, IntakeObserver, IntakeRefusal

_FORMS: Final = ", ".join(Form)
_ADDRESSES: Final = (
    "Send an EventList to /audit/SOURCE, or JSON lines to /lines/SOURCE?format=FORM or /lines/SOURCE?mapping=SYSTEM."
)

_log = structlog.get_logger(__name__)


class Requests:
    """Takes the requests of one server."""

    def __init__(self, settings: WebhookSettings, sink: BatchSink, observer: IntakeObserver) -> None:
        """Nothing was sent yet."""
        self._settings = settings
        self._sink = sink
        self._observer = observer
        self._held = HeldBytes(settings.most_held, observer)
        # Apart, so that who sends lines of other systems cannot take the names of API servers away.
        self._sources = {MaySend.EVENTS: Sources(), MaySend.LINES: Sources()}
        self._complained: set[tuple[str, IntakeRefusal]] = set()

    async def take(self, request: web.BaseRequest, admitted: MaySend) -> None:
        """Return when the sink has taken what an authenticated request brings, or raise `NotTaken`."""
        source = account = ""
        try:
            way = self._address(request, admitted)
            source, account = way.source, way.account
            await self._take_from(request, way)
        except NotTaken as error:
            self._count(error, source, account)
            raise
        self._complained = {(name, reason) for name, reason in self._complained if name != account}

    def _count(self, error: NotTaken, source: str, account: str) -> None:
        self._observer.refused(error.reason, account)
        if error.reason.loses and (account, error.reason) not in self._complained:
            self._complained.add((account, error.reason))
            _log.warning("a batch is refused, and its events may be lost", source=source, problem=str(error))

    def _address(self, request: web.BaseRequest, admitted: MaySend) -> "_Way":
        """Return what comes, and from whom."""
        if request.method != "POST":
            raise NotTaken(
                IntakeRefusal.MALFORMED, f"Only POST is possible. {_ADDRESSES}", status=HTTPStatus.METHOD_NOT_ALLOWED
            )
        parts = request.rel_url.raw_path.split("/")
        if len(parts) != 3 or parts[1] not in ("audit", "lines"):
            raise NotTaken(
                IntakeRefusal.MALFORMED, f"There is no such address. {_ADDRESSES}", status=HTTPStatus.NOT_FOUND
            )
        mapping = request.query.get("mapping") if parts[1] == "lines" else None
        kind = MaySend.EVENTS if mapping is None else MaySend.LINES
        self._check(kind, admitted)
        try:
            self._sources[kind].admit(parts[2])
        except SourceRefused as error:
            raise NotTaken(IntakeRefusal.MALFORMED, str(error)) from error
        if parts[1] == "audit":
            return _Way(parts[2])  # the API server adds ?timeout=30s
        if mapping is not None:
            return self._mapped(parts[2], mapping, request)
        try:
            return _Way(parts[2], Form(request.query.get("format", "")), is_lines=True)
        except ValueError as error:
            raise NotTaken(
                IntakeRefusal.MALFORMED, f"The format is missing or unknown. Write one of {_FORMS}."
            ) from error

    def _check(self, kind: MaySend, admitted: MaySend) -> None:
        """Raise `NotTaken` if the sender may send something else only."""
        if kind in admitted:
            return
        if kind is MaySend.EVENTS:
            why = (
                "That token is for lines of other systems only: /lines/SOURCE?mapping=SYSTEM. To send audit events, use a "
                "token of intake.webhook.tokenFile or a client certificate."
            )
        elif self._settings.lines_tokens is None:
            why = (
                "Lines of other systems need a token of their own, and none is set. Set intake.webhook.linesTokenFile, and "
                "send a token of that file."
            )
        else:
            why = (
                "Lines of other systems need a token of their own. Send one of the file that is set "
                "(intake.webhook.linesTokenFile)."
            )
        raise NotTaken(IntakeRefusal.NOT_ALLOWED, why)

    def _mapped(self, source: str, mapping: str, request: web.BaseRequest) -> "_Way":
        if "format" in request.query:
            raise NotTaken(IntakeRefusal.MALFORMED, "There is a format and a mapping. Write one of them.")
        if mapping not in self._settings.systems:
            raise NotTaken(
                IntakeRefusal.MALFORMED,
                "There is no mapping of that name. Name one that is set (intake.mappings).",
                status=HTTPStatus.NOT_FOUND,
            )
        return _Way(source, is_lines=True, mapping=mapping)

    async def _take_from(self, request: web.BaseRequest, way: "_Way") -> None:
        encoding = request.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise NotTaken(
                IntakeRefusal.COMPRESSED, "Compressed bodies are not taken. Send it without Content-Encoding."
            )
        body = Body(self._settings, self._held, way.account)
        try:
            batch = Batch(way.source, way.form, await body.read(request), way.is_lines, way.mapping)
            await self._hand_over(batch)
        finally:
            body.release()

    async def _hand_over(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._settings.take_seconds):
                await self._sink.take(batch)
        except IntakeError as error:
            raise NotTaken.by_sink(error) from error
        except TimeoutError as error:
            raise NotTaken(IntakeRefusal.UNAVAILABLE, "The events could not be made durable in time.") from error
        self._observer.taken(batch.source, len(batch.body), loop.time() - began)


@dataclass(frozen=True, slots=True)
class _Way:
    """Who sends, and what."""

    source: str
    form: Form = Form.KUBERNETES
    is_lines: bool = False
    mapping: str | None = None

    @property
    def account(self) -> str:
        """Under which name its bytes and refusals count. Other systems have one together, and no part in the coverage."""
        return self.source if self.mapping is None else ""
