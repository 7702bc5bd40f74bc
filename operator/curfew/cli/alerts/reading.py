"""Reading the alerts of a log of activity, verified."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import click

from curfew.audit.pseudonyms import Person
from curfew.audit.query import Query
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked, BothLogs, activity_options, open_both
from curfew.cli.audit.finding import Found, SearchedLog, find
from curfew.cli.audit.reading import known_people
from curfew.core.detectors.history import AlertHistory
from curfew.reader.errors import CannotRead, NotVerified

ALERTS = Query({"event": ("alert.*",)})


def location_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say where the logs are."""
    for add in reversed((options.log, options.key, options.key_file, activity_options, options.people)):
        command = add(command)
    return command


async def open_logs(asked: Asked, people: str | None) -> tuple[BothLogs, Sequence[SearchedLog]]:
    """Return the logs, the log of activity last. Raise `CannotRead` if there is none."""
    both = await open_both(asked)
    if both.activity is None:
        raise CannotRead(
            f"There is no log {asked.activity().log} at {asked.location}, so there are no alerts: curfew monitor writes it. "
            "If it has another name or place, give --activity-log or --activity-at."
        )
    known: Mapping[str, Person] = await known_people(people)
    return both, [SearchedLog(one.store, one.log, one.given, known, has_index=True) for one in both.places]


async def read_history(log: SearchedLog) -> tuple[AlertHistory, NotVerified | None]:
    """Return the alerts of a log; if it does not verify, those from before the first bad place, and why there are no more."""
    history = AlertHistory()
    try:
        async with aclosing(find(log, ALERTS)) as found:
            async for one in found:
                history.learn(one.index, one.record)
    except NotVerified as error:
        return history, error
    return history, None


async def read_at(log: SearchedLog, indexes: frozenset[int]) -> AsyncGenerator[Found]:
    """Yield the records of a log that have these indexes. Raise `NotVerified` as `find` does."""
    last = max(indexes, default=-1)
    async with aclosing(find(log, Query())) as found:
        async for one in found:
            if one.index in indexes:
                yield one
            if one.index >= last:
                return


def id_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument that names an alert."""
    return click.argument("alert", metavar="ID")(command)
