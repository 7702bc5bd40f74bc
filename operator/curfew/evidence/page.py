"""How pages are made from templates: everything is escaped, invisible characters are written out, long texts are cut."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curfew.audit.wording import duration, printable
from curfew.evidence import wording

LONGEST, LONGEST_NAME = 400, 80
"""How many characters are shown of what a person wrote, and of a name. The CSV file and the proofs hold the whole text."""


def environment(package: str = "curfew.evidence") -> Environment:
    """Return the environment of the templates in a package."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_legible,
    )
    made.filters |= {
        "count": wording.count,
        "duration": lambda length: duration(length) if length is not None else wording.NONE,
        "instant": wording.instant,
        "name": lambda text: _cut(text, LONGEST_NAME, "…"),
        "short": lambda text: _cut(text, LONGEST, "… (cut here; whole in the CSV file)"),
    }
    made.globals["share"] = wording.share
    return made


def _cut(text: str, length: int, mark: str) -> str:
    return text if len(text) <= length else f"{text[:length]}{mark}"


def _legible(value: Any) -> Any:
    """Write out invisible characters, for example marks that change the direction of writing: people write reasons."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
