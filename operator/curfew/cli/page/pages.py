"""The views of the page: what each reads, and the template that shows it."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final, TypeVar

import click
from markupsafe import Markup

from curfew.audit.timespan import Span
from curfew.audit.wording import printable, sentence
from curfew.cli.audit.session import NotOneGrant
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.page.cluster import PageCluster
from curfew.cli.page.kept import KeptReading, KeptReadings
from curfew.cli.page.logs import PageLogs, ShownLog, receipts_in
from curfew.cli.page.rendering import Renderer, Viewer
from curfew.cli.page.scope import DAYS, PageScope
from curfew.cli.requests.access import failed
from curfew.cli.requests.telling import how_long
from curfew.core.detectors.history import AlertState
from curfew.core.guidance.changes import why_over
from curfew.core.guidance.next_steps import next_step, request_command
from curfew.core.guidance.objects import ShownRequest
from curfew.core.guidance.policies import agreeing, needs
from curfew.core.guidance.waiting import owes_review
from curfew.evidence.stats.pictures import pictures
from curfew.evidence.timeline import draw
from curfew.ports import Clock
from curfew.reader.anchors import Kept
from curfew.reader.errors import NotVerified, ReadingError

MOST_ROWS: Final = 200
"""Most rows of a table."""

SOON: Final = 2
"""Seconds until a page loads again that waits for a log."""

FRESH: Final = timedelta(seconds=15)
"""How old what is shown of a log may be."""

UNTIL_ASKED: Final = timedelta(days=36_500)
"""A verification is repeated when somebody asks for it: it reads the whole log."""

_BARS: Final = {"waited_for": "What requests wait for", "wait_by_hour": "Wait, by the hour of the request"}
_TABLES: Final = ("waiting", "by_policy", "by_stage", "timed_out", "approvers")

T = TypeVar("T")


class NoSuchView(Exception):
    """There is nothing at this address."""


class Again(Exception):
    """Look at another address. `str(error)` is it."""


class Pages:
    """The views of one person's page, as HTML."""

    def __init__(
        self,
        cluster: PageCluster,
        logs: PageLogs | None,
        renderer: Renderer,
        clock: Clock,
        threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
    ) -> None:
        """Without `logs`, the page says which commands show them. The threads are for kubectl, and for the logs."""
        self._cluster = cluster
        self._logs = logs
        self._renderer = renderer
        self._clock = clock
        self._threads = threads[0]
        self._kept = KeptReadings(clock, threads[1])
        self._views: Mapping[str, Callable[[PageScope], Awaitable[str]]] = {
            "": self._requests,
            "request": self._request,
            "policies": self._policies,
            "policy": self._policy,
            "alerts": self._alerts,
            "bottlenecks": self._bottlenecks,
            "log": self._log,
            "verify": self._verify,
        }

    @property
    def viewer(self) -> Viewer:
        """Who looks."""
        return self._renderer.viewer

    async def html(self, view: str, scope: PageScope) -> str:
        """Return a view. Raise `NoSuchView`, or `Again` with the address to look at instead."""
        if view not in self._views:
            raise NoSuchView(view)
        try:
            return await self._views[view](scope)
        except KubectlFailed as error:
            return self._render("refused", scope, view=view, told=sentence(failed(error).message))

    def file(self, name: str) -> str:
        """Return the style sheet or the icon."""
        return self._renderer.files[name]

    async def _requests(self, scope: PageScope) -> str:
        waiting, over = await self._called(lambda: self._cluster.requests(scope))
        active = sorted(
            (one for one in waiting if one.phase == "Active"),
            key=lambda one: one.expires_at.timestamp() if one.expires_at is not None else 0.0,
        )
        return self._render(
            "requests",
            scope,
            view="",
            active=active,
            waiting=[one for one in waiting if one.phase != "Active"],
            reviews=[one for one in waiting if owes_review(one)],
            over=over,
            MOST=MOST_ROWS,
        )

    async def _request(self, scope: PageScope) -> str:
        _named(scope)
        request = await self._called(lambda: self._cluster.request(scope))
        kept, session, told, drawn = await self._session(request), None, "", Markup("")
        if kept is not None and not isinstance(kept.value, Exception):
            session = kept.value
        elif kept is not None and kept.value is not None:
            told = _in_words(kept.value)
        if session is not None:
            title = f"Session {request.name} in {request.namespace}"
            lanes = draw(printable(title), session.told.seen.axis, list(session.told.lanes))
            drawn = Markup(lanes)  # noqa: S704  `draw` escapes its input
        return self._render(
            "request",
            scope,
            view="",
            request=request,
            how_long=how_long(request, self._clock.now()),
            next_step=next_step(request),
            why="" if request.is_open else why_over(request),
            has_logs=self._logs is not None,
            command=f"curfew audit session {self._place()} {shlex.quote(f'{request.namespace}/{request.name}')}",
            kept=kept,
            session=session,
            told=told,
            timeline=drawn,
            **_soon(kept),
        )

    async def _session(self, request: ShownRequest) -> KeptReading | None:
        logs = self._logs
        if logs is None or request.granted_at is None:
            return None
        return await self._kept.get(("session", request.uid), lambda: logs.session(request.uid), FRESH)

    async def _policies(self, scope: PageScope) -> str:
        choices = await self._called(lambda: self._cluster.policies(scope))
        return self._render("policies", scope, view="policies", choices=choices, agreeing=agreeing, MOST=MOST_ROWS)

    async def _policy(self, scope: PageScope) -> str:
        _named(scope)
        page = await self._called(lambda: self._cluster.policy(scope))
        policy = page.choice.policy
        return self._render(
            "policy",
            scope,
            view="policies",
            page=page,
            policy=policy,
            needs=needs(policy),
            command=request_command(policy),
        )

    async def _alerts(self, scope: PageScope) -> str:
        logs = self._logs
        command = f"curfew alerts list {self._place()} --open"
        if logs is None:
            events = await self._called(lambda: self._cluster.alerts(scope))
            return self._render("alerts", scope, view="alerts", events=events, command=command, MOST=MOST_ROWS)
        kept = await self._kept.get("alerts", logs.alerts, FRESH)
        if kept.value is None or isinstance(kept.value, Exception):
            return self._unread(scope, "alerts", "Alerts", kept, command)
        alerts, refused = kept.value
        shown = [one for one in alerts if scope.everything or one.state is not AlertState.RESOLVED]
        return self._render(
            "alerts",
            scope,
            view="alerts",
            events=None,
            alerts=shown,
            resolved=sum(one.state is AlertState.RESOLVED for one in alerts),
            refused=str(refused) if refused is not None else "",
            command=command,
            place=self._place(),
            kept=kept,
            MOST=MOST_ROWS,
        )

    async def _bottlenecks(self, scope: PageScope) -> str:
        logs = self._logs
        command = f"curfew stats {self._place()} --since '{scope.days} days ago'"
        if logs is None:
            return self._unread(scope, "bottlenecks", "Bottlenecks", None, command)
        span = Span(self._clock.now() - timedelta(days=scope.days), None)
        kept = await self._kept.get(("stats", scope.days), lambda: logs.stats(span), 4 * FRESH)
        if kept.value is None or isinstance(kept.value, Exception):
            return self._unread(scope, "bottlenecks", "Bottlenecks", kept, command)
        stats = kept.value
        charts = pictures(stats)
        return self._render(
            "bottlenecks",
            scope,
            view="bottlenecks",
            stats=stats,
            charts=[(title, Markup(charts[name])) for name, title in _BARS.items()],  # noqa: S704  `pictures` escapes its input
            tables=[table for table in stats.tables(10) if table.name in _TABLES],
            command=command,
            kept=kept,
            DAYS=DAYS,
        )

    async def _log(self, scope: PageScope) -> str:
        logs = self._logs
        command = f"curfew audit verify {self._place()}"
        if logs is None:
            return self._unread(scope, "log", "Log", None, command)

        def verified() -> Sequence[ShownLog]:
            return logs.verified(self._receipts(scope, logs.asked.log))

        kept = await self._kept.get("log", verified, UNTIL_ASKED)
        if kept.value is None or isinstance(kept.value, Exception):
            return self._unread(scope, "log", "Log", kept, command)
        return self._render("log", scope, view="log", logs=kept.value, command=command, kept=kept, **_soon(kept))

    async def _verify(self, scope: PageScope) -> str:
        """Read the log again, and show it."""
        if self._logs is not None:
            self._kept.forget("log")
        raise Again(scope.link("log"))

    def _receipts(self, scope: PageScope, log: str) -> list[Kept]:
        """Return the receipts in the requests that the caller may read; none if that is none."""
        try:
            return receipts_in(self._cluster.receipts(scope), log)
        except KubectlFailed:
            return []

    def _unread(self, scope: PageScope, view: str, title: str, kept: KeptReading | None, command: str) -> str:
        """Show why nothing is shown of a log, and which command shows it."""
        error = kept.value if kept is not None else None
        return self._render(
            "unread",
            scope,
            view=view,
            title=title,
            is_named=self._logs is not None,
            is_false=isinstance(error, NotVerified),
            told=_in_words(error) if error is not None else "",
            command=command,
            **_soon(kept),
        )

    def _place(self) -> str:
        return shlex.quote(self._logs.asked.location) if self._logs is not None else "s3://BUCKET/PREFIX"

    def _render(self, template: str, scope: PageScope, **more: Any) -> str:
        return self._renderer.render(template, scope, self._clock.now(), **more)

    async def _called(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _named(scope: PageScope) -> None:
    if not scope.namespace or not scope.name:
        raise NoSuchView


def _soon(kept: KeptReading | None) -> dict[str, int]:
    """Return when the page has to be loaded again, if it waits for a log."""
    return {"refresh": SOON} if kept is not None and kept.is_running else {}


def _in_words(error: Exception) -> str:
    """Return an error in words. One that nobody expected is named, and its text is not: it could be anything."""
    if isinstance(error, click.ClickException):
        return error.message
    if isinstance(error, ReadingError | NotOneGrant):
        return str(error)
    return f"The log could not be read: {type(error).__name__}."
