"""Which logs a command reads: the trail of the grants, and the log of activity that `curfew monitor` writes beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from curfew.audit.checkpoint import Verifier
from curfew.audit.segment import prefix
from curfew.audit.wording import NO_KEY
from curfew.cli.audit.reading import given_key, note, open_location
from curfew.ports import ObjectStore, StoreError
from curfew.reader.errors import CannotRead

SUFFIX = "-activity"
"""What the name of a log of activity ends with, unless the monitor's settings give it another name."""

NO_ACTIVITY_KEY = (
    "No key was given for log {log}, so the one that the log names itself was used. This shows that the log is consistent, "
    "not who wrote it. Give the monitor's key with --activity-key, or as another line of the file of --key-file."
)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log: where it is, its name, and the key that was given for it."""

    store: ObjectStore
    log: str
    given: Verifier | None


@dataclass(frozen=True, slots=True)
class BothLogs:
    """The trail, and the log of activity if there is one and it is wanted."""

    trail: LogPlace
    activity: LogPlace | None

    @property
    def places(self) -> tuple[LogPlace, ...]:
        """The logs to read, the trail first."""
        return (self.trail, self.activity) if self.activity is not None else (self.trail,)

    def note_keys(self) -> None:
        """Print what is not shown if a key was not given."""
        if self.trail.given is None:
            note(f"Note: {NO_KEY}")
        if self.activity is not None and self.activity.given is None:
            note(f"Note: {NO_ACTIVITY_KEY.format(log=self.activity.log)}")


def activity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name the log of activity. `Asked` takes them."""
    options = [
        click.option(
            "--activity-log",
            metavar="NAME",
            help=f"The name of the log of activity. Default: the name of the log with {SUFFIX}.",
        ),
        click.option(
            "--activity-at", metavar="LOCATION", help="Where the log of activity is. Default: where the log is."
        ),
        click.option("--activity-key", metavar="KEY", help="The public key of the log of activity."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed about the logs."""

    location: str
    log: str
    key: str | None
    key_file: Path | None
    activity_log: str | None
    activity_at: str | None
    activity_key: str | None
    is_one: bool = False  # only the log that was named by --log is meant

    @property
    def names_activity(self) -> bool:
        """Whether the log of activity is asked for by an option."""
        return any((self.activity_log, self.activity_at, self.activity_key))

    def trail(self) -> LogPlace:
        """Return the trail. Raise `click.UsageError` or `CannotRead` if it cannot be opened."""
        return LogPlace(open_location(self.location), self.log, given_key(self.key, self.key_file, self.log))

    def activity(self) -> LogPlace:
        """Return the log of activity, whether it exists or not. Raise as `trail`."""
        log = self.activity_log or f"{self.log}{SUFFIX}"
        in_file = given_key(None, self.key_file, log, may_be_other=True)
        given = given_key(self.activity_key, None, log) or in_file
        return LogPlace(open_location(self.activity_at or self.location), log, given)


async def open_both(asked: Asked) -> BothLogs:
    """Return the trail, and the log of activity, which has to exist if it is asked for by an option."""
    trail = asked.trail()
    if asked.is_one and not asked.names_activity:
        return BothLogs(trail, None)
    activity = asked.activity()
    try:
        exists = bool(await activity.store.list_partitions(prefix(activity.log)))
    except StoreError as error:
        if asked.names_activity:
            raise
        note(f"Note: It is not known whether there is a log {activity.log}, so only log {trail.log} is read. {error}")
        exists = False
    if not exists and asked.names_activity:
        raise CannotRead(f"There is no log {activity.log} at {activity.store.url}. Choose one with --activity-log.")
    return BothLogs(trail, activity if exists else None)


def typed_log_alone() -> bool:
    """Whether --log was typed: then only that log is meant, unless an option names the log of activity."""
    return click.get_current_context().get_parameter_source("log") is ParameterSource.COMMANDLINE
