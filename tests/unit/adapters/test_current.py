"""When something that was made of variables is made anew."""

import os
import time
from pathlib import Path

import pytest

from curfew.adapters.objectstore import current

START = {"CLOUD_KEY": "one", "CLOUD_ACCOUNT_NAME": "audit"}


@pytest.fixture(autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "READ_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(os, "environ", dict(START))


@pytest.fixture
def newest() -> current.Current[dict[str, str]]:
    """Return what copies the variables of now."""
    return current.of_variables(
        "CLOUD_", lambda: {name: value for name, value in os.environ.items() if name.startswith("CLOUD_")}
    )


def test_it_is_kept_while_nothing_changes(newest: current.Current[dict[str, str]]) -> None:
    first = newest()
    os.environ["OTHER"] = "y"

    assert newest() is first


@pytest.mark.parametrize("change", [{"CLOUD_KEY": "two"}, {"CLOUD_TOKEN": "t"}], ids=["another key", "one more"])
def test_it_is_made_anew_with_new_keys(newest: current.Current[dict[str, str]], change: dict[str, str]) -> None:
    newest()
    os.environ.update(change)

    assert newest() == {**START, **change}
    assert newest() is newest()


def test_a_key_that_is_taken_away_is_gone(newest: current.Current[dict[str, str]]) -> None:
    newest()
    del os.environ["CLOUD_KEY"]

    assert "CLOUD_KEY" not in newest()


@pytest.mark.parametrize(
    "elsewhere", ["CLOUD_ACCOUNT_NAME", "CLOUD_BASE_URL", "CLOUD_STORAGE_ENDPOINT", "CLOUD_USE_EMULATOR"]
)
def test_a_log_never_goes_on_in_another_store(newest: current.Current[dict[str, str]], elsewhere: str) -> None:
    first = newest()
    os.environ.update({"CLOUD_KEY": "two", elsewhere: "another"})
    assert newest() is first

    os.environ.pop(elsewhere)
    os.environ.update({**START, "CLOUD_KEY": "two"})

    assert newest() == {**START, "CLOUD_KEY": "two"}


def test_a_file_that_is_named_counts_as_well(newest: current.Current[dict[str, str]], tmp_path: Path) -> None:
    os.environ["CLOUD_KEY_FILE"] = str(tmp_path / "key")
    first = newest()
    assert newest() is first
    (tmp_path / "key").write_text("one")
    second = newest()
    assert second is not first

    (tmp_path / "new").write_text("two")
    (tmp_path / "new").replace(tmp_path / "key")

    assert newest() is not second


def test_settings_that_cannot_be_used_are_tried_again() -> None:
    def refuse_zero() -> int:
        return 1 // int(os.environ["CLOUD_NUMBER"])

    os.environ["CLOUD_NUMBER"] = "1"
    newest = current.of_variables("CLOUD_", refuse_zero)
    assert newest() == 1
    os.environ["CLOUD_NUMBER"] = "0"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            newest()
    os.environ["CLOUD_NUMBER"] = "-1"

    assert newest() == -1


def test_nothing_is_looked_at_before_its_time(
    newest: current.Current[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "READ_AGAIN_SECONDS", 30.0)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    first = newest()
    os.environ["CLOUD_KEY"] = "two"
    now += 29.9
    assert newest() is first
    now += 0.1

    assert newest() is not first
