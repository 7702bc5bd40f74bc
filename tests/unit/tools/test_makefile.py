"""What the Makefile makes of its variables."""

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


def commands(*arguments: str) -> str:
    """Return what make would run."""
    asked = ["make", "--dry-run", "--no-print-directory", "--directory", str(CHECKOUT), *arguments]
    made = subprocess.run(asked, check=True, capture_output=True, text=True)  # noqa: S603  constants, no shell
    return made.stdout


@pytest.mark.parametrize("value", ["0", "no", "false", ""])
def test_no_means_that_the_demo_does_not_stay_up(value: str) -> None:
    assert "--keep" not in commands("demo", f"KEEP={value}")


def test_anything_else_keeps_the_demo_up() -> None:
    assert "--keep" in commands("demo", "KEEP=1")


def test_the_demo_installs_no_tools_for_tests() -> None:
    assert "tools/venv.sh --to-run" in commands("demo")
    assert "--to-run" not in commands("test")
