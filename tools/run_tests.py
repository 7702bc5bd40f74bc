"""`make test`: build the servers that the tests need, run all tests, and end with one line of counts.

What keeps people apart is run once more on a control plane as before Kubernetes 1.36, where nothing fills in who asks.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tools.servers.build import build
from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError
from tools.servers.npm import NodeMissing, azurite

TESTS: Final = Path(__file__).parents[1] / "tests"

ORDER: Final = ("unit", "property", "contract", "docs", "integration", "attacks")
"""The quick ones first: what fails there need not be waited for."""


UNSTAMPED: Final = (
    "integration/admission",
    "integration/enforcement",
    "integration/operator/test_lifecycle.py",
    "integration/operator/test_rules.py",
    "attacks",
)
"""What is run once more without stamping."""

STORES: Final = ("fake-gcs-server",)
"""The servers that only tests need: other dialects of object storage."""


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
    try:
        # Here and not in a fixture, so that whoever waits sees how it goes.
        build([*NEEDED[chosen_cluster()], *STORES])
        with_azurite()
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1
    counts = Counts()
    statuses = [run(arguments, [name for name in ORDER if (TESTS / name).is_dir()], counts)]
    if chosen_cluster() == "local":
        print("\nOnce more without stamping:", flush=True)
        statuses.append(run(["--without-stamping", *arguments], UNSTAMPED, counts))
    print(f"{counts} in {time.monotonic() - started:.0f} s", flush=True)
    return max(statuses) or (0 if counts.passed else 1)


def run(arguments: Sequence[str], names: Sequence[str], counts: Counts) -> int:
    """Run some of the tests and return pytest's exit status; that there is none to run is no failure by itself."""
    status = int(pytest.main(["--quiet", *arguments, *(str(TESTS / name) for name in names)], plugins=[counts]))
    return 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
