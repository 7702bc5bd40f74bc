"""`make test`, `make quick` and `make soak`: run tests in several processes, and end with one line of counts.

What keeps people apart is run once more on a control plane as before Kubernetes 1.36, where nothing fills in who asks.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tools.servers.build import build
from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError
from tools.servers.npm import NodeMissing, azurite

TESTS: Final = Path(__file__).parents[1] / "tests"

WITHOUT_SERVERS: Final = ("unit", "property", "corpus", "simulation")
ON_SERVERS: Final = ("contract", "docs", "integration", "attacks")

UNSTAMPED: Final = (
    "integration/admission/test_creating.py",
    "integration/operator/test_lifecycle.py",
    "integration/operator/test_rules.py",
    "attacks",
)
"""What `make test` runs once more without stamping."""

UNSTAMPED_IN_FULL: Final = ("contract", "integration", "attacks")
"""What `make soak` runs once more without stamping."""

ONLY_FOR_TESTS: Final = ("fake-gcs-server", "prometheus", "promtool")
"""The programs that only tests need: another dialect of object storage, and what reads our metrics and rules."""

MOST_CONTROL_PLANES: Final = 8
"""Each process has a control plane of its own, which takes about 600 MB."""

SOAK_SECONDS: Final = 3600

GOGC: Final = "300"
"""By how many percent the heap of a Go program grows before its garbage is collected: servers work a tenth less."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that are run together."""

    title: str
    names: Sequence[str]
    processes: int
    options: Sequence[str] = ()


def parts(kind: str, cores: int, *, ours: bool = True) -> list[Part]:
    """Return what is run: `quick`, `test` or `soak`. Only a control plane of ours can be had without stamping."""
    if kind == "quick":
        return [Part("Without servers", WITHOUT_SERVERS, cores)]
    # Tests on servers mostly wait: for the end of a minute, for a process to start. Tests without servers use that time.
    waiting = max(1, min(cores * 2, MOST_CONTROL_PLANES))
    again = UNSTAMPED_IN_FULL if kind == "soak" else UNSTAMPED
    all_tests = Part("All tests", (*WITHOUT_SERVERS, *ON_SERVERS), waiting)
    unstamped = Part("Once more without stamping", again, waiting, ["--without-stamping"])
    return [all_tests, *([unstamped] if ours else [])]


class Counts:
    """Counts tests as pytest reports them. What fails before or after a test counts as failed too."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.passed = self.failed = self.skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test."""
        if report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that cannot be read as a test."""
        if report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1

    def __str__(self) -> str:
        """Return the counts as CI reads them."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def with_azurite() -> None:
    """Install Azurite, or say why the tests that need it are skipped."""
    try:
        azurite()
    except NodeMissing as error:
        print(f"Some tests will be skipped. {error}", flush=True)


def main(arguments: list[str]) -> int:
    """Run the tests, with more arguments for pytest, and return the exit status."""
    started = time.monotonic()
    known, more = _parser().parse_known_args(arguments)
    os.environ.setdefault("GOGC", GOGC)
    # Some machines set it. Hundreds of processes would then compile all that they import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if known.kind == "soak":
        os.environ["CURFEW_SOAK"] = "1"
        more = [f"--timeout={SOAK_SECONDS}", *more]
    counts, statuses = Counts(), []
    try:
        if known.kind != "quick":
            # Here and not in a fixture, so that whoever waits sees how it goes.
            build([*NEEDED[chosen_cluster()], *ONLY_FOR_TESTS])
            with_azurite()
        cores = len(os.sched_getaffinity(0))
        for part in parts(known.kind, cores, ours=chosen_cluster() == "local"):
            begun = time.monotonic()
            print(f"\n{part.title}, in {part.processes} processes:", flush=True)
            spread = ["--numprocesses", str(part.processes)]
            statuses.append(run([*spread, "--durations=25", *part.options, *more], part.names, counts))
            print(f"{part.title}: {time.monotonic() - begun:.0f} s", flush=True)
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{counts} in {time.monotonic() - started:.0f} s", flush=True)
    return max(statuses) or (0 if counts.passed else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run_tests", allow_abbrev=False, add_help=False)
    parser.set_defaults(kind="test")
    for kind in ("quick", "soak"):
        parser.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind)
    return parser


def run(arguments: Sequence[str], names: Sequence[str], counts: Counts) -> int:
    """Run some of the tests and return pytest's exit status; that there is none to run is no failure by itself."""
    status = int(pytest.main(["--quiet", *arguments, *(str(TESTS / name) for name in names)], plugins=[counts]))
    return 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
