"""What the audit commands have in common on the command line."""

from pathlib import Path

import click

location = click.argument("location")
log = click.option(
    "--log", default="main", show_default=True, metavar="NAME", help="The name of the log at that location."
)
key = click.option("--key", metavar="KEY", help="The public key of the log: name+hash+base64.")
key_file = click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that holds the key."
)
anchors = click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="RECEIPT|FILE",
    help="Evidence of the log that was kept elsewhere: a receipt, a checkpoint, or a file with one. Can be repeated.",
)
output = click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="The output format, for people or programs.",
)
listing = click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json", "jsonl", "csv")),
    default="table",
    show_default=True,
    help="The output format, for people, programs or spreadsheets.",
)
people = click.option(
    "--people",
    metavar="LOCATION",
    envvar="CURFEW_PEOPLE",
    show_envvar=True,
    help="Where people's names are stored, if the log holds pseudonyms: the value of audit.people in the operator's settings.",
)
