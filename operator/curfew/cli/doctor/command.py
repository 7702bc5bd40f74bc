"""`kubectl curfew doctor`: what is wrong with Curfew in this cluster, with a code and a next step for each finding."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from curfew.audit.wording import count
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import ClusterAccess, cluster_options, failed
from curfew.cli.requests.output import say
from curfew.core.doctor.diagnosis import CODES, Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts
from curfew.core.doctor.judging import DoctorReport, NotAReport, ReportDifference, compare, diagnose, exit_code

if TYPE_CHECKING:
    from curfew.cli.doctor.gathering import Behind

CANNOT_CHECK: Final = 2
_SECONDS: Final = 60.0  # for one call: all roles and bindings of a large cluster are many
_LONGEST_REPORT: Final = 64 * 1024 * 1024  # bytes

_FAIL_ON: Final = {
    "warning": (Gravity.CRITICAL, Gravity.WARNING),
    "critical": (Gravity.CRITICAL,),
    "never": (),
}


@click.command("doctor")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
@click.option(
    "--compare",
    "earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with an earlier report (-o json): only what is new since then fails.",
)
@click.option(
    "--fail-on",
    type=click.Choice(list(_FAIL_ON)),
    default="warning",
    show_default=True,
    help="From which gravity on a finding gives exit code 1.",
)
@click.option(
    "--bundle",
    "bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what support needs to a new file, as JSON without secrets.",
)
@cluster_options(home="Curfew's namespace. Default: where its operator is.")
def doctor(output: str, earlier: Path | None, fail_on: str, bundle: Path | None, access: ClusterAccess) -> None:
    """Find out what is wrong with Curfew in this cluster, and who can go around it.

    It only reads, with your own kubectl and your own rights. What you may not read is reported as not checked. Each finding
    has a code, and docs/doctor.md explains it.

    \b
    kubectl curfew doctor -o json > last.json
    kubectl curfew doctor --compare last.json

    \b
    Exit code 0: nothing is wrong (notes do not count).
              1: there are findings; with --compare, new ones.
              2: something could not be checked, and nothing else is wrong; or the command was wrong.
    """  # noqa: D301  click's mark for lines that stay as they are
    from curfew.cli.doctor.gathering import ClusterLook  # only here: help needs none of it

    before = _read(earlier) if earlier is not None else None
    look = ClusterLook(replace(access.kubectl, seconds=_SECONDS), access.namespace)
    try:
        facts = look.gather()
        report = diagnose(facts)
        difference = compare(report, before) if before is not None else None
    except KubectlFailed as error:
        click.echo(f"Error: {failed(error).message}", err=True)
        sys.exit(CANNOT_CHECK)
    except NotAReport as error:
        raise click.UsageError(f"{earlier}: {error}") from None
    if bundle is not None:
        _write_bundle(bundle, report, facts, look.behind(facts))
    if output == "json":
        click.echo(json.dumps(_with_difference(report, difference), indent=2, ensure_ascii=False))
    else:
        _tell(report, difference)
    counted = [
        one
        for one in report.findings
        if difference is None or one.key in difference.new or one.gravity is Gravity.UNCHECKED
    ]
    sys.exit(exit_code(counted, fail_on=_FAIL_ON[fail_on]))


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LONGEST_REPORT))
    except (OSError, ValueError, RecursionError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None


def _write_bundle(path: Path, report: DoctorReport, facts: ClusterFacts, behind: "Behind") -> None:
    """Write a bundle to a new file that nobody else may read."""
    from importlib import metadata  # only here, as the next: a look needs neither

    from curfew.core.doctor.bundle import make_bundle

    versions = {"curfew": metadata.version("curfew"), "kubectl": behind.version}
    held = make_bundle(report, facts, versions=versions, events=behind.events, logs=behind.logs)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps(held, indent=2, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(
        f"Wrote {path}. Read it before you send it: it has the names of people, policies and namespaces.", err=True
    )


def _with_difference(report: DoctorReport, difference: ReportDifference | None) -> dict[str, Any]:
    told = report.to_json()
    if difference is not None:
        told["new"], told["gone"] = sorted(difference.new), list(difference.gone)
    return told


def _tell(report: DoctorReport, difference: ReportDifference | None) -> None:
    """Print a report for people."""
    for one in report.findings:
        _tell_one(one, is_new=difference is not None and one.key in difference.new)
    if report.built_in:
        say(
            f"Parts of Kubernetes that can go around Curfew, as in each cluster: {', '.join(report.built_in)}. Whoever is in "
            "system:masters is outside RBAC."
        )
    for key in difference.gone if difference is not None else ():
        say(f"Gone since then: {key}")
    say(_summary(report.findings))


def _tell_one(one: Diagnosis, *, is_new: bool) -> None:
    say(f"{one.gravity.upper()} {one.code}  {CODES[one.code].title}{'  (new)' if is_new else ''}")
    for label, line in (("", one.what), ("Path: ", one.path), ("Next: ", one.next), ("See:  ", one.page)):
        if line:
            say(f"  {label}{line}")
    say()


def _summary(found: Sequence[Diagnosis]) -> str:
    numbers = Counter(one.gravity for one in found)
    words = {Gravity.CRITICAL: "critical", Gravity.WARNING: "warning", Gravity.NOTE: "note"}
    said = [
        count(numbers[gravity], "note" if word == "note" else f"{word} finding")
        for gravity, word in words.items()
        if numbers[gravity]
    ]
    if numbers[Gravity.UNCHECKED]:
        said.append(f"{count(numbers[Gravity.UNCHECKED], 'thing')} not checked")
    return f"{', '.join(said)}." if said else "Nothing is wrong."
