"""`kubectl curfew ui`: a page in the browser, on loopback, as the caller."""

import contextlib
import tempfile
import webbrowser
from pathlib import Path

import click

from curfew.audit.wording import printable
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked, activity_options
from curfew.cli.audit.group import ReadingCommand
from curfew.cli.page.scope import EVERYWHERE
from curfew.cli.requests.access import ClusterAccess, cluster_options


@click.command("ui", cls=ReadingCommand, short_help="Show all this on a page in your browser.")
@click.option("--store", metavar="LOCATION", help="The bucket or folder with Curfew's log: s3://BUCKET/PREFIX.")
@options.log
@options.key
@options.key_file
@options.anchors
@activity_options
@options.people
@click.option(
    "--port", type=click.IntRange(1024, 65535), metavar="PORT", help="The port on loopback. Default: any free one."
)
@click.option("--open", "is_opened", is_flag=True, help="Also open the page in your browser.")
@cluster_options(many=True)
def ui(
    store: str | None,
    log: str,
    key: str | None,
    key_file: Path | None,
    anchors: tuple[str, ...],
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
    people: str | None,
    port: int | None,
    *,
    is_opened: bool,
    all_namespaces: bool,
    access: ClusterAccess,
) -> None:
    """Show requests, policies, alerts, bottlenecks and the log on a page in your browser, until Ctrl-C.

    The page is served on this machine only, to whoever has its address, which holds a secret. What it shows of the cluster is
    what your own kubectl may read. What it shows of the log needs --store and your credentials for the bucket, and is
    verified. The page decides nothing: it shows the commands that do.
    """
    from curfew.cli.page.starting import start  # aiohttp and Jinja take longer to load than help does

    asked = Asked(store, log, key, key_file, activity_log, activity_at, activity_key) if store is not None else None
    with contextlib.ExitStack() as stack:
        start(
            access,
            asked,
            anchors,
            people,
            within=EVERYWHERE if all_namespaces else "",
            port=port or 0,
            ready=lambda address, who: _tell(address, who, stack if is_opened else None),
        )


def _tell(address: str, who: str, stack: contextlib.ExitStack | None) -> None:
    """Print the address, and open it if there is a stack, which has to close what that needs."""
    click.echo(f"As {printable(who)}. The page is at\n\n  {address}\n")
    click.echo("Whoever has this address sees what you may see. Ctrl-C ends it.")
    if stack is not None:
        _open(address, stack)


def _open(address: str, stack: contextlib.ExitStack) -> None:
    """Open the page through a file that only the caller can read: everybody can see a program's arguments."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curfew-")))
    file = folder / "page.html"
    file.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">\n')
    if not webbrowser.open(file.as_uri()):
        click.echo("There is no browser that can be opened; open the address yourself.", err=True)
