"""`make test`, `make quick` and `make soak`: run tests in several processes, and end with one line of counts.

What keeps people apart is run once more on a control plane as before Kubernetes 1.36, where nothing fills in who asks:
by one process beside the others in `make test`, and after them in `make soak`, which runs much more of it. With `--calm`,
as in CI, there are no more processes than cores and none beside them: it takes longer, and no test waits for another's work.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.scale import SOAK_VARIABLE, seed
from tools.servers import ports
from tools.servers.build import build
from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError
from tools.servers.npm import NodeMissing, azurite

TESTS: Final = Path(__file__).parents[1] / "tests"

WITHOUT_SERVERS: Final = ("unit", "property", "corpus", "simulation")
ON_SERVERS: Final = ("contract", "docs", "integration", "attacks")

UNSTAMPED: Final = (
    "integration/admission/test_creating.py",
    "integration/operator/test_finished.py::test_a_request_is_granted_expires_is_closed_and_goes",
    "attacks",
)
"""What `make test` runs once more without stamping: who asks, who decides, and a life from its request to its end."""

UNSTAMPED_IN_FULL: Final = ("contract", "integration", "attacks")
"""What `make soak` runs once more without stamping."""

ONLY_FOR_TESTS: Final = ("fake-gcs-server", "prometheus", "promtool")
"""The programs that only tests need: another dialect of object storage, and what reads our metrics and rules."""

MOST_CONTROL_PLANES: Final = 8
"""Each process has a control plane of its own, which takes about 600 MB."""

SOAK_SECONDS: Final = 3600

GOGC: Final = "300"
"""By how many percent the heap of a Go program grows before its garbage is collected: servers work a tenth less."""

GOMAXPROCS: Final = "1"
"""On how many cores a Go program runs at once. There are more programs than cores: looking for more work costs a third more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tests that are run together."""

    title: str
    names: Sequence[str]
    processes: int
    options: Sequence[str] = ()
    is_beside: bool = False
    """Whether it is run while the first part is."""


def parts(kind: str, cores: int, *, ours: bool = True, calm: bool = False) -> list[Part]:
    """Return what is run: `quick`, `test` or `soak`. Only a control plane of ours can be had without stamping."""
    if kind == "quick":
        return [Part("Without servers", WITHOUT_SERVERS, cores)]
    # Tests on servers often wait: for the end of a minute, for a process to start. Other tests use that time.
    waiting = max(2, min(cores if calm else cores * 2 + 1, MOST_CONTROL_PLANES))
    soaks = kind == "soak"
    again = UNSTAMPED_IN_FULL if soaks else UNSTAMPED
    beside = ours and not soaks and not calm
    all_tests = Part("All tests", (*WITHOUT_SERVERS, *ON_SERVERS), waiting)
    unstamped = Part("Once more without stamping", again, 1 if beside else waiting, ["--without-stamping"], beside)
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

    def add(self, other: "Counts") -> None:
        """Count what another has counted too."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

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
        os.environ[SOAK_VARIABLE] = "1"
        more = [f"--timeout={SOAK_SECONDS}", *more]
    print(f"CURFEW_SEED={seed()}", flush=True)  # all parts draw by it
    counts = Counts()
    try:
        if known.kind != "quick":
            # Here and not in a fixture, so that whoever waits sees how it goes.
            build([*NEEDED[chosen_cluster()], *ONLY_FOR_TESTS])
            with_azurite()
        os.environ.setdefault("GOMAXPROCS", GOMAXPROCS)  # after they were built, which uses all cores
        cores = len(os.sched_getaffinity(0))
        chosen = parts(known.kind, cores, ours=chosen_cluster() == "local", calm=known.calm)
        statuses = run_all(chosen, more, counts)
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{counts} in {time.monotonic() - started:.0f} s", flush=True)
    return max(statuses) or (0 if counts.passed else 1)


def run_all(all_parts: Sequence[Part], more: Sequence[str], counts: Counts) -> list[int]:
    """Run all parts, with more arguments for pytest, and return the exit status of each."""
    after = [part for part in all_parts if not part.is_beside]
    beside = [part for part in all_parts if part.is_beside]
    if not beside:
        return [run_part(part, more, counts) for part in after]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        begun = [other.submit(run_beside, part, more, ports.share(1, 2)) for part in beside]
        os.environ[ports.SHARE_VARIABLE] = ports.share(0, 2)
        statuses = [run_part(part, more, counts) for part in after]
        for each in begun:
            status, counted, shown = each.result()
            print(shown, flush=True)
            counts.add(counted)
            statuses.append(status)
    return statuses


def run_part(part: Part, more: Sequence[str], counts: Counts) -> int:
    """Run a part in processes of its own, and return pytest's exit status."""
    begun = time.monotonic()
    print(f"\n{part.title}, in {part.processes} processes:", flush=True)
    spread = ["--numprocesses", str(part.processes), "--durations=25"]
    status = run([*spread, *part.options, *more], part.names, counts)
    print(f"{part.title}: {time.monotonic() - begun:.0f} s", flush=True)
    return status


def run_beside(part: Part, more: Sequence[str], share_of_ports: str) -> tuple[int, Counts, str]:
    """Run a part in a process that is there for it alone; return what it shows as well, which is shown when all is done."""
    os.environ[ports.SHARE_VARIABLE] = share_of_ports
    counts = Counts()
    with tempfile.TemporaryFile() as shown:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(shown.fileno(), stream.fileno())
        status = run_part(part, more, counts)
        shown.seek(0)
        return status, counts, shown.read().decode(errors="replace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run_tests", allow_abbrev=False, add_help=False)
    parser.set_defaults(kind="test")
    for kind in ("quick", "soak"):
        parser.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind)
    parser.add_argument("--calm", action="store_true")
    return parser


def run(arguments: Sequence[str], names: Sequence[str], counts: Counts) -> int:
    """Run some of the tests and return pytest's exit status; that there is none to run is no failure by itself."""
    status = int(pytest.main(["--quiet", *arguments, *(str(TESTS / name) for name in names)], plugins=[counts]))
    return 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
