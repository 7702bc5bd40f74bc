"""The threat model speaks of all promises, and `make test` runs every test it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scale import SOAK_VARIABLE, soaks
from tools.run_tests import parts

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "threat-model.md").read_text()
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z_0-9]+)`", PAGE)


def test_each_promise_has_its_tests() -> None:
    """A promise without a test is a wish."""
    parts = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]

    assert [part.split(" ", 1)[0] for part in parts] == [f"P{number}" for number in range(1, 13)]
    for part in parts:
        assert re.search(r"`tests/[a-z_/]+\.py::test_", part), part.splitlines()[0]


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    """Renaming a test must not leave a promise without one."""
    assert re.search(rf"def {name}\(", (CHECKOUT / file).read_text())


def test_no_promise_is_left_to_the_soak(request: pytest.FixtureRequest) -> None:
    """What is named runs in `make test`, though `make soak` may try more of it."""
    folders = {name for part in parts("test", 2) if not part.options for name in part.names}
    assert {file for file, _ in NAMED if file.split("/")[1] not in folders} == set()

    named = {f"{file}::{name}" for file, name in NAMED}
    here = {item.nodeid.partition("[")[0] for item in request.session.items}
    # `make test` has collected what it runs. Otherwise, only what is named: to collect everything takes ten times as long.
    assert named - (here if named <= here and not soaks() else collected()) == set()


def collected() -> set[str]:
    """Return the tests that `make test` would run of the files that are named."""
    asked = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *sorted({file for file, _ in NAMED})]
    environ = {name: value for name, value in os.environ.items() if name != SOAK_VARIABLE}
    shown = subprocess.run(asked, cwd=CHECKOUT, env=environ, check=True, capture_output=True, text=True)  # noqa: S603  our own tests
    return {line.partition("[")[0] for line in shown.stdout.splitlines() if "::" in line}
