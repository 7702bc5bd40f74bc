"""`curfew audit session`: shows what was done with one grant, and computes the answer again from both logs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.query import Query
from curfew.audit.record import Story
from curfew.audit.stories import joined
from curfew.audit.timespan import Span
from curfew.audit.wording import printable
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import SUFFIX, Asked, BothLogs, activity_options, open_both
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.finding import Found, SearchedLog, find_all
from curfew.cli.audit.reading import known_people, unreadable
from curfew.cli.audit.seen import take_into
from curfew.cli.audit.session_output import show_session, to_json
from curfew.cli.audit.session_reading import left_behind
from curfew.core.activity.recount import Recount, Recounted
from curfew.evidence.session_page import CALLS_SHOWN, Interval, SeenSession, SessionBasis, ToldSession, render_session
from curfew.evidence.timeline import Axis
from curfew.reader.errors import CannotRead

_LATE = timedelta(days=1)
"""How long after a session the feed may be confirmed for it."""

_ALL = 10**9  # calls that are kept one by one if each is asked for


@click.command("session", short_help="Show what was done with a grant.")
@options.location
@click.argument("name")
@click.option("--calls", "has_calls", is_flag=True, help="Show each call, not only the calls grouped.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a page with a timeline. It needs no other file, no script and no network.",
)
@options.log
@options.key
@options.key_file
@activity_options
@click.option("--no-index", is_flag=True, help="Read both logs whole, even if there is an index.")
@options.output
@options.people
def session(
    location: str,
    name: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
    *,
    has_calls: bool,
    page: Path | None,
    no_index: bool,
    output: str,
    people: str | None,
) -> None:
    """Show what was done with the access of one request, and whether anything was changed.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. NAME is the request: its name, NAMESPACE/NAME
    or UID. Two logs are read and verified: the trail of the grants, and the log of activity, which `curfew monitor`
    writes beside it. The answer is computed again from both. If the monitor recorded another answer, that is shown.

    Unknown is not No: something could not be seen, and the reasons show what.

    \b
    Examples:
      curfew audit session s3://acme-access-log/prod payments/inc-4711 --key-file keys.pub
      curfew audit session ./copy inc-4711 --calls
      curfew audit session ./copy inc-4711 --html inc-4711.html
      curfew audit session ./copy inc-4711 -o json | jq -r .answer.changes

    \b
    Exit code 0: both logs verify, and the session is shown, whatever the answer is.
              1: a log does not verify; nothing is shown.
              2: the command was wrong, or no grant or several grants match; the message shows why.
              3: a log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    asked = Asked(location, log, key, key_file, activity_log, activity_at, activity_key)
    with unreadable():
        both = asyncio.run(open_both(asked))
        if both.activity is None:
            raise CannotRead(
                f"There is no log {log}{SUFFIX} at {both.trail.store.url}: `curfew monitor` writes it. "
                "If it is elsewhere or has another name, give --activity-at or --activity-log."
            )
        most = _ALL if has_calls else CALLS_SHOWN
        read = asyncio.run(read_session(both, name, people, most, has_index=not no_index))
    if output == "json":
        click.echo(to_json(read.told, both, has_calls=has_calls))
    else:
        show_session(read.told, both.activity.log, has_calls=has_calls)
    if page is not None:
        _write(page, render_session(read.told, read.basis))
        click.echo(f"Written to {page}", err=True)
    both.note_keys()


class NotOneGrant(click.ClickException):
    """No grant is meant, or several."""

    exit_code = USAGE


@dataclass(frozen=True, slots=True)
class ReadSession:
    """A session, and what it was read from."""

    told: ToldSession
    basis: SessionBasis


async def read_session(both: BothLogs, name: str, people: str | None, most: int, *, has_index: bool) -> ReadSession:
    """Return what both logs hold about one session. Raise `NotVerified` if one of them does not verify."""
    assert both.activity is not None  # noqa: S101  the caller has looked
    known, now = await known_people(people), SystemClock().now()
    trail, activity = (
        SearchedLog(one.store, one.log, one.given, known, has_index) for one in (both.trail, both.activity)
    )
    uid = _the_one(await _all(trail, Query({"request": (name,)})), name)
    recount = Recount()
    of_trail = await _all(trail, Query({"request": (uid,)}))
    for one in of_trail:
        recount.learn_trail(one.record)
    known_session = recount.sessions.get(uid)
    if known_session is None:
        raise NotOneGrant(printable(f"Request {name} was never granted, so there is no session."))
    began, ended = known_session.announced_at, known_session.ended_at or now
    seen = SeenSession(Axis.around(began, ended), most)
    confirmed = Query({"event": ("coverage.confirmed",)}, span=Span(began, ended + _LATE))
    found = [
        *await _all(activity, Query({"request": (uid,)})),
        *await _all(activity, confirmed),
        *await _all(activity, Query({"event": ("coverage.lost",)})),  # also a hole that was noticed later
    ]
    for one in sorted(found, key=lambda one: one.index):
        recount.learn_activity(one.index, one.record)
        take_into(seen, one.index, one.record)
    recounted = recount.answer(uid, now)
    assert recounted is not None  # noqa: S101  its session is known
    story = joined(one.record for one in of_trail) or known_session.story
    notes = ("No key was given for one of the logs.",) if None in (both.trail.given, both.activity.given) else ()
    basis = SessionBasis(
        trail=trail.log,
        activity=activity.log,
        location=both.trail.store.url,
        keys=[str(one.given) for one in both.places if one.given is not None],
        made_at=now,
        version=version("curfew"),
        notes=notes,
    )
    return ReadSession(told_of(recounted, story, seen), basis)


def told_of(recounted: Recounted, story: Story, seen: SeenSession) -> ToldSession:
    """Return what is shown of a session."""
    return ToldSession(
        story=story,
        begin=recounted.begin,
        end=recounted.end,
        answer=recounted.answer,
        recorded=recounted.recorded,
        recorded_in=recounted.recorded_in,
        differs=recounted.differs,
        holes=tuple(Interval(hole.since, hole.until, hole.why) for hole in recounted.holes),
        remains=left_behind(recounted),
        seen=seen,
    )


async def _all(log: SearchedLog, query: Query) -> list[Found]:
    found, refused = await find_all([log], query)
    if refused is not None:
        raise refused
    return found


def _the_one(found: Sequence[Found], name: str) -> str:
    """Return the UID of the one request that was found, or raise `NotOneGrant`."""
    stories = {one.record.subject: one.record.block["story"] for one in found if "story" in one.record.block}
    if not stories:
        raise NotOneGrant(printable(f"The log has no request {name}. `curfew audit search` finds requests."))
    if len(stories) > 1:
        lines = [f"  {uid}  {story['namespace']}/{story['request']}" for uid, story in list(stories.items())[:20]]
        more = [f"  and {len(stories) - 20:,} more"] if len(stories) > 20 else []
        raise NotOneGrant(
            "\n".join(
                printable(line)
                for line in (f"{len(stories):,} requests have this name; choose one by its UID:", *lines, *more)
            )
        )
    return next(iter(stories))


def _write(page: Path, text: str) -> None:
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"The page cannot be written: {error}. Choose another file with --html.") from error
