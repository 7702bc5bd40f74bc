"""Starts the page, and runs it until Ctrl-C."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.audit.both_logs import Asked
from curfew.cli.audit.reading import read_anchors
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.page.cluster import PageCluster
from curfew.cli.page.logs import PageLogs
from curfew.cli.page.pages import Pages
from curfew.cli.page.rendering import Renderer
from curfew.cli.page.serving import listen, serve
from curfew.cli.requests.access import ClusterAccess, failed


def start(
    access: ClusterAccess,
    asked: Asked | None,
    anchors: tuple[str, ...],
    people: str | None,
    *,
    within: str,
    port: int,
    ready: Callable[[str, str], None],
) -> None:
    """Serve the page. `ready` is told its address, and who looks.

    Raise `click.ClickException` if the cluster does not say who looks, an option is wrong, or the port is taken.
    """
    pages = make_pages(access, asked, anchors, people)
    try:
        sock = listen(port)
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error}. Leave out --port for any free one.") from None
    asyncio.run(serve(pages, sock, within, lambda address: ready(address, pages.viewer.name)))


def make_pages(
    access: ClusterAccess, asked: Asked | None, anchors: tuple[str, ...] = (), people: str | None = None
) -> Pages:
    """Return what the page shows. Raise as `start`."""
    logs = None
    if asked is not None:
        asked.trail()  # what is wrong with it is told before the page is there
        kept = [one for anchor in anchors for one in read_anchors(anchor, asked.log)]
        logs = PageLogs(asked, kept, people)
    elif anchors:
        raise click.UsageError("--anchor is about a log: give its location with --store.")
    cluster = PageCluster(access)
    try:
        viewer = cluster.viewer()
    except KubectlFailed as error:
        raise failed(error) from None
    # Threads of their own: at Ctrl-C, nobody waits for them.
    threads = ThreadPoolExecutor(4, "kubectl"), ThreadPoolExecutor(2, "logs")
    return Pages(cluster, logs, Renderer(viewer), SystemClock(), threads)
