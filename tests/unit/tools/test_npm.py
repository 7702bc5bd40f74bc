"""Azurite comes from npm as its lock file says; where there is no Node.js, that is said in words."""

import json
from pathlib import Path

import pytest

from tools.servers.folders import MODULES
from tools.servers.npm import NodeMissing, azurite

FOLDER = MODULES / "azurite"


@pytest.mark.parametrize(
    ("present", "missing"),
    [([], "no `node` and no `npm` on PATH"), (["node"], "no `npm` on PATH"), (["npm"], "no `node` on PATH")],
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: list[str], missing: str
) -> None:
    for name in present:
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NodeMissing) as told:
        azurite()
    assert f"there is {missing}. Install Node.js 18 or newer, with npm" in str(told.value)


def test_the_lock_file_pins_what_is_asked_for_and_each_package_with_its_hash() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    locked = json.loads((FOLDER / "package-lock.json").read_text())["packages"]

    assert locked[""]["dependencies"] == wanted
    assert locked["node_modules/azurite"]["version"] == wanted["azurite"]
    assert all("integrity" in package for name, package in locked.items() if name)
