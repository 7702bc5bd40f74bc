"""`curfew audit forget`: erases the key that connects a person with a pseudonym."""

import asyncio
import sys
from collections.abc import Sequence

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.pseudonyms import Person
from curfew.audit.wording import printable
from curfew.cli.audit import options
from curfew.cli.audit.reading import open_location, required_people, unreadable
from curfew.ports import ErasableStore
from curfew.storage.people import People, object_name

NOT_GONE = 1
"""Exit code if the name is not known, or if a copy of the deleted key may remain."""


@click.command("forget", short_help="Erase a person's name; the log still verifies.")
@click.argument("name")
@options.people
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def forget(name: str, people: str | None, yes: bool) -> None:
    """Erase a person's name: the log keeps the pseudonym, and nobody can find out any more whose it was.

    NAME is the person's name as the API server knows it. The key that connects name and pseudonym is deleted from where
    the operator keeps people's names (--people). No byte of the log changes: it verifies as before.

    It cannot be undone. The log still shows what the pseudonym did. The command does not erase: names that somebody
    wrote into a reason or a ticket in another form, names of requests, AccessRequests and Events that are still in the
    cluster, and copies of the names made elsewhere. Forget a person only after all their requests are over; a person
    who asks again gets another pseudonym.

    \b
    Example:
      curfew audit forget alice@example.com --people s3://acme-people/prod

    \b
    Exit code 0: the key is gone.
              1: that name is not known, or the bucket may still keep the key; the message shows which.
              2: the command was wrong; the message shows why.
              3: the names cannot be reached: no such bucket, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    store = open_location(required_people(people))
    with unreadable():
        person = asyncio.run(People(store, SystemClock()).find(name))
    if person is None:
        click.echo(printable(f"{name} is not known at {store.url}: it was never recorded, or was erased."), err=True)
        sys.exit(NOT_GONE)
    asked = f"{printable(name)} will be {person.pseudonym} for ever, to everybody. Erase the name?"
    if not yes and not click.confirm(asked):
        raise click.ClickException("nothing was erased")
    with unreadable():
        kept_by = asyncio.run(_erase(store, person))
    for reason in kept_by:
        click.echo(printable(f"The key of {name} was deleted, but a copy may remain. {reason}"), err=True)
    if kept_by:
        sys.exit(NOT_GONE)
    click.echo(printable(f"Nobody can find out any more that {person.pseudonym} was {name}."))


async def _erase(store: ErasableStore, person: Person) -> Sequence[str]:
    """Delete a person's key, and return the reasons why it may still exist."""
    kept_by = await store.what_keeps(object_name(person.name))
    await store.delete(object_name(person.name))
    return kept_by
