"""`curfew audit advise`: prints the role that would have been enough for what was done with a policy's access."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import yaml

from curfew.adapters.clock import SystemClock
from curfew.audit.query import Query
from curfew.audit.timespan import ALWAYS, Span
from curfew.audit.wording import count, in_utc, printable
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import SUFFIX, Asked, BothLogs, activity_options, open_both
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.finding import SearchedLog, find
from curfew.cli.audit.query_options import TIMES, read_times
from curfew.cli.audit.reading import unreadable
from curfew.core.activity.recount import Recount
from curfew.core.activity.session import Session
from curfew.core.activity.usage import Needed, Usage, Uses, has_names
from curfew.core.advice import Advice, enough_for, refused
from curfew.evidence.wording import share
from curfew.reader.errors import CannotRead

_SHOWN = 20
"""Most kinds of calls, and most unused permissions, that a comment lists."""

_LATE = timedelta(days=1)
"""How long after a session the feed may be confirmed for it."""


@click.command("advise", short_help="Print the role that would have been enough.", epilog=TIMES)
@options.location
@click.argument("policy")
@click.option(
    "--period",
    metavar="SPAN",
    help='Advise from what was used in this period: "last quarter", 2026-Q3. Default: everything.',
)
@options.log
@options.key
@options.key_file
@activity_options
@click.option("--no-index", is_flag=True, help="Read both logs whole, even if there is an index.")
def advise(
    location: str,
    policy: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
    *,
    period: str | None,
    no_index: bool,
) -> None:
    """Print, as YAML, the role that would have been enough for what was done with a policy's access.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. POLICY is the name of an AccessPolicy. Two
    logs are read and verified: the trail of the grants, which has the rules of each role, and the log of activity, which
    `curfew monitor` writes beside it.

    The advised role allows each call that the granted role allowed in the period, and nothing that the granted role did
    not allow. Comments above it show what share of the granted rules was used, and which past calls it would have
    refused, also from before the period. The past is no promise: a rule that nobody used may still be needed.

    \b
    Examples:
      curfew audit advise s3://acme-access-log/prod debug --period "last quarter" --key-file keys.pub
      curfew audit advise ./copy debug > smaller.yaml

    \b
    Exit code 0: both logs verify, and the role is printed.
              1: a log does not verify; nothing is printed.
              2: the command was wrong, or no grant of the policy is in the period; the message shows why.
              3: a log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    asked = Asked(location, log, key, key_file, activity_log, activity_at, activity_key)
    span = read_times({"period": period, "since": None, "until": None}, SystemClock().now())
    if set("*?") & set(policy):
        raise click.UsageError(f"{policy} is a pattern; give the name of one AccessPolicy.")
    with unreadable():
        both = asyncio.run(open_both(asked))
        if both.activity is None:
            raise CannotRead(
                f"There is no log {log}{SUFFIX} at {both.trail.store.url}: `curfew monitor` writes it. "
                "If it is elsewhere or has another name, give --activity-at or --activity-log."
            )
        found = asyncio.run(_read(both, policy, span, has_index=not no_index))
    if not found.sessions:
        raise NoGrants(f"The log has no grant by policy {policy}{f' in {period}' if period else ''}.")
    for line in _comments(found, policy, period or "all time", both):
        click.echo(printable(f"# {line}").rstrip())
    click.echo(
        yaml.safe_dump(manifest(found), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120),
        nl=False,
    )
    both.note_keys()


class NoGrants(click.ClickException):
    """There is nothing to advise from."""

    exit_code = USAGE


@dataclass(frozen=True, slots=True)
class _Found:
    """What both logs hold about the sessions of a policy."""

    sessions: Sequence[Session]  # in force in the period
    granted: Sequence[Mapping[str, Any]]  # their rules
    inside: Usage  # in the period
    past: Usage  # in the whole log
    not_whole: int  # sessions of the period in which the feed is not known to have been whole

    @property
    def advice(self) -> Advice:
        """Return the rules that would have been enough."""
        return enough_for(self.granted, self.inside.used)


async def _read(both: BothLogs, policy: str, span: Span, *, has_index: bool) -> _Found:
    assert both.activity is not None  # noqa: S101  the caller has looked
    trail, activity = (SearchedLog(one.store, one.log, one.given, {}, has_index) for one in (both.trail, both.activity))
    recount = Recount()
    async with aclosing(find(trail, Query({"policy": (policy,)}))) as records:
        async for one in records:
            recount.learn_trail(one.record)
    now = SystemClock().now()
    sessions = [one for one in recount.sessions.all() if _touches(span, one)]
    restricts = any(map(has_names, recount.sessions.all()))
    inside, past = Usage(has_names=restricts), Usage(has_names=restricts)
    async with aclosing(find(activity, Query({"policy": (policy,), "event": ("call.*", "stream.opened")}))) as records:
        async for one in records:
            session = recount.sessions.get(one.record.subject)
            if session is not None:
                past.take(session, one.record)
                if one.record.at in span:
                    inside.take(session, one.record)
    confirmed = Query({"event": ("coverage.*",)}, span=_around(sessions))
    async with aclosing(find(activity, confirmed)) as records:
        async for one in records:
            recount.learn_activity(one.index, one.record)
    answers = [recount.answer(one.uid, now) for one in sessions]
    rules = list({str(rule): rule for one in sessions for rule in one.rules}.values())
    not_whole = sum(bool(one.holes) for one in answers if one is not None)
    return _Found(sessions, rules, inside, past, not_whole)


def _touches(span: Span, session: Session) -> bool:
    return (span.end is None or session.announced_at <= span.end) and (
        span.begin is None or session.until >= span.begin
    )


def _around(sessions: Sequence[Session]) -> Span:
    if not sessions:
        return ALWAYS
    begin = min(one.announced_at for one in sessions)
    return Span(begin, max(one.until for one in sessions) + _LATE)


def manifest(found: _Found) -> dict[str, Any]:
    """Return the advised role as a manifest."""
    newest = found.sessions[-1]
    role = newest.role
    kind, name = (
        (role.kind, role.name) if role is not None else ("Role", newest.policy.name if newest.policy else "role")
    )
    metadata = {"name": f"{name}-advised"}
    if kind == "Role":
        metadata["namespace"] = newest.namespace
    rules = [dict(rule) for rule in found.advice.rules]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}


def _comments(found: _Found, policy: str, period: str, both: BothLogs) -> Iterator[str]:
    advice, calls = found.advice, sum(uses.count for uses in found.inside.used.values())
    logs = " and ".join(f"{one.log} at {one.store.url}" for one in both.places)
    yield f"The role that would have been enough for policy {policy}, from {period}: {count(calls, 'call')} allowed by it in"
    yield f"{count(len(found.sessions), 'session')}. Both logs verify: {logs}."
    yield (
        f"Used: {advice.used:,} of {count(advice.granted, 'granted permission')} ({share(advice.used, advice.granted)}); a "
        "permission is one verb on one resource."
    )
    digests = {one.role.rules_digest for one in found.sessions if one.role is not None}
    if len(digests) > 1:
        yield f"The role had {len(digests)} versions in this time; the granted permissions are those of all versions."
    if found.not_whole:
        yield (
            f"In {found.not_whole:,} of {count(len(found.sessions), 'session')}, the feed of audit events is not known to "
            "have been whole: calls may be missing here."
        )
    if advice.not_granted:
        yield "Calls that no recorded rule of the role allows, so the advised role does not either:"
        yield from _listed({one: found.inside.used[one] for one in advice.not_granted})
    unknown = sum(not one.rules for one in found.sessions)
    if unknown:
        yield f"The trail does not hold the rules of the role for {count(unknown, 'session')}."
    new = refused(advice.rules, found.past.used)
    would = {one: found.past.used[one] for one in new if one not in advice.not_granted}
    if would:
        yield "Past calls in the whole log that the granted role allowed and this one would have refused:"
        yield from _listed(would)
    else:
        yield "It would have refused no past call in the whole log that the granted role allowed."
    if found.past.refused:
        still = {one: found.past.refused[one] for one in refused(advice.rules, found.past.refused)}
        yield "Past calls that were refused, and that it would have refused too:"
        yield from _listed(still)
    if found.inside.standing:
        yield f"{count(found.inside.standing, 'call')} allowed by other access are not counted."
    if advice.unused:
        yield "Not used:"
        yield from (f"  {permission}" for permission in advice.unused[:_SHOWN])
    if len(advice.unused) > _SHOWN:
        yield f"  and {len(advice.unused) - _SHOWN:,} more"


def _listed(uses: Mapping[Needed, Uses]) -> Iterator[str]:
    together: Counter[str] = Counter()
    last: dict[str, Uses] = {}
    for needed, one in uses.items():
        what = str(needed)
        together[what] += one.count
        last[what] = max(last.get(what, one), one, key=lambda use: use.last)
    for what, number in together.most_common(_SHOWN):
        yield f"  {number:>6,} x {what}, last {in_utc(last[what].last)}"
    if len(together) > _SHOWN:
        yield f"  and {len(together) - _SHOWN:,} more kinds"
