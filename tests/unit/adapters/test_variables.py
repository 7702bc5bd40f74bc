"""A folder of credentials stands for variables, as kubelet exchanges them."""

import os
from pathlib import Path

import pytest

from curfew.adapters.variables import LARGEST, Variables
from curfew.settings.loading import SettingsRefused


@pytest.fixture(autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a test sets go with it."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


def mount(folder: Path, version: str, **files: str) -> None:
    """Put files there as kubelet does: in a folder of their own, to which one link is turned."""
    (folder / version).mkdir()
    for name, content in files.items():
        (folder / version / name).write_text(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(version)
    (folder / "..new").rename(folder / "..data")


def test_files_become_variables_and_change(tmp_path: Path) -> None:
    variables = Variables(tmp_path)
    mount(tmp_path, "..1", AWS_ACCESS_KEY_ID="one", AWS_SECRET_ACCESS_KEY="first\n", AWS_SESSION_TOKEN="t")
    variables.read()
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]) == ("one", "first")

    mount(tmp_path, "..2", AWS_ACCESS_KEY_ID="two", AWS_SECRET_ACCESS_KEY="second")
    variables.read()

    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]) == ("two", "second")
    assert "AWS_SESSION_TOKEN" not in os.environ


def test_what_is_no_variable_is_left_alone(tmp_path: Path) -> None:
    for name, content in {"lower": "x", "TOO_LARGE": "x" * (LARGEST + 1), "NULL": "a\0b", "A-B": "x"}.items():
        (tmp_path / name).write_text(content)
    os.mkfifo(tmp_path / "FIFO")
    before = dict(os.environ)

    Variables(tmp_path).read()

    assert dict(os.environ) == before


def test_a_folder_that_cannot_be_read_is_named_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "AWS_REGION").write_text("eu-west-1")
    variables = Variables(tmp_path)
    variables.read()
    (tmp_path / "AWS_REGION").write_bytes(b"\xff")

    with pytest.raises(SettingsRefused, match=r"^The credentials in .* cannot be read: a file is not text\.$"):
        variables.read()
    with pytest.raises(SettingsRefused, match="cannot be read: No such file"):
        Variables(tmp_path / "gone").read()
    assert os.environ["AWS_REGION"] == "eu-west-1"
