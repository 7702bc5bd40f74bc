"""Without a Python that is new enough, `make` says so and touches nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

VENV = Path(__file__).parents[3] / "tools" / "venv.sh"

OLD = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.2"
exit 1
"""


def make_venv(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script of a checkout that has nothing else in it, with an old Python first on a bare PATH."""
    script = folder / "checkout" / "tools" / "venv.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(VENV, script)
    path = folder / "bin"
    path.mkdir()
    (path / "python3").write_text(OLD)
    (path / "python3").chmod(0o755)
    for program in ("dirname", "cat"):
        (path / program).symlink_to(shutil.which(program) or program)
    return subprocess.run(  # noqa: S603  it is our script
        ["/bin/sh", script, *arguments], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


def test_an_old_python_is_named_with_what_to_do(tmp_path: Path) -> None:
    done = make_venv(tmp_path)

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert "make venv PYTHON=" in done.stderr
    assert not (tmp_path / "checkout" / ".venv").exists()


@pytest.mark.parametrize("options", [(), ("--to-run",)], ids=["for tests", "for the demo"])
def test_the_python_that_was_asked_for_is_not_replaced_by_another(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = make_venv(tmp_path, *options, "python3")

    assert done.returncode == 1
    assert done.stderr == "python3 is not Python 3.11 or newer.\n"
