"""A release: one version everywhere, the changelog's section, and one file that takes the part that its name shows."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.image.origin import project
from tools.release import one_file, versions
from tools.release.__main__ import main
from tools.release.errors import ReleaseError

LOG = """\
# Changelog

## Unreleased

- not yet

## 0.2.0 - 2027-01-31

- two

## 0.1.0 - 2026-12-01

- one
"""


@pytest.fixture
def changelog(tmp_path: Path) -> Path:
    """Return a changelog of two versions."""
    path = tmp_path / "CHANGELOG.md"
    path.write_text(LOG)
    return path


@pytest.mark.parametrize(
    ("of", "section"),
    [
        ("Unreleased", "## Unreleased\n\n- not yet\n"),
        ("0.2.0", "## 0.2.0 - 2027-01-31\n\n- two\n"),
        ("0.1.0", "## 0.1.0 - 2026-12-01\n\n- one\n"),
    ],
)
def test_the_section_of_a_version_ends_where_the_next_begins(changelog: Path, of: str, section: str) -> None:
    assert versions.changes(of, changelog) == section


@pytest.mark.parametrize("of", ["0.3.0", "0.2", "0x1.0"])
def test_a_version_without_a_section_is_refused(changelog: Path, of: str) -> None:
    with pytest.raises(ReleaseError, match=r"CHANGELOG.md has no section about"):
        versions.changes(of, changelog)


def test_this_checkout_names_one_version() -> None:
    assert versions.version() == project()["version"]


def test_a_chart_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"version": "9.9.9", "appVersion": project()["version"]}))
    monkeypatch.setattr(versions, "CHART", tmp_path)

    with pytest.raises(ReleaseError, match=r"version in charts/curfew/Chart.yaml is 9.9.9"):
        versions.version()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").touch()

    assert main(["--trial", "--to", str(tmp_path)]) == 1

    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_the_one_file_names_what_it_runs_on() -> None:
    assert one_file.name("0.1.0").startswith(f"curfew-0.1.0-cpython-{sys.version_info.major}{sys.version_info.minor}-")


@pytest.mark.parametrize(
    ("name", "arguments", "printed"),
    [
        ("curfew", ["--help"], "Usage: curfew "),
        ("curfew-0.1.0-cpython-311-linux_x86_64.pex", ["--help"], "Usage: curfew "),
        ("kubectl-curfew", ["--help"], "Usage: kubectl curfew "),
        ("kubectl_complete-curfew", ["appro"], "approve\t"),
    ],
)
def test_the_one_file_takes_the_part_that_its_name_shows(
    tmp_path: Path, name: str, arguments: list[str], printed: str
) -> None:
    (tmp_path / name).write_text("from curfew.cli.one_file import run\n\nrun()\n")

    done = subprocess.run(  # noqa: S603  a file of this test
        [sys.executable, str(tmp_path / name), *arguments], capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith(printed), done.stderr
