"""`curfew audit who`: finds the name behind a pseudonym, and the pseudonym of a name."""

import asyncio
import sys

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.wording import printable
from curfew.cli.audit import options
from curfew.cli.audit.reading import open_location, required_people, unreadable
from curfew.storage.people import People

UNKNOWN = 1
"""Exit code if nothing is known about the person, or nothing any more."""


@click.command("who", short_help="Find the name behind a pseudonym, or the pseudonym of a name.")
@click.argument("person")
@options.people
def who(person: str, people: str | None) -> None:
    """Find the name behind a pseudonym, or the pseudonym of a name.

    PERSON is a pseudonym as the log holds it (person:…), or a name as the API server knows it. The answer is stored
    only where the operator keeps people's names (--people). Without the right to read there, nobody can find it out.

    \b
    Examples:
      curfew audit who person:mfzwizltoqfa2k3vn5xw4z3bnq --people s3://acme-people/prod
      curfew audit who alice@example.com --people s3://acme-people/prod

    \b
    Exit code 0: the answer was printed.
              1: that name or pseudonym is not known, or was erased.
              2: the command was wrong; the message shows why.
              3: the names cannot be read: no such bucket, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    store = open_location(required_people(people))
    with unreadable():
        known = asyncio.run(People(store, SystemClock()).by_pseudonym())
    if person in known:
        click.echo(printable(known[person].name))
        return
    found = next((one for one in known.values() if one.name == person), None)
    if found is None:
        click.echo(printable(f"{person} is not known at {store.url}: it was never recorded, or was erased."), err=True)
        sys.exit(UNKNOWN)
    click.echo(found.pseudonym)
