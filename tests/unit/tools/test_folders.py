"""Where things live, and which run folders are taken away."""

from pathlib import Path

import pytest

from tools.servers.folders import KEEP, OwnFolder, cache_folder, run_folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CURFEW_CACHE", str(tmp_path))
    monkeypatch.delenv(KEEP, raising=False)
    return tmp_path


def test_the_cache_can_be_put_elsewhere() -> None:
    assert cache_folder({"CURFEW_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")


def test_the_cache_is_in_the_users_cache_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/curfew")


def test_the_cache_has_a_place_where_nothing_is_set() -> None:
    assert cache_folder({}) == Path.home() / ".cache" / "curfew"


def test_a_run_folder_is_private() -> None:
    own = OwnFolder()

    assert own.path.stat().st_mode & 0o777 == 0o700
    own.close(remove=True)


def test_a_run_folder_is_removed_after_a_run_that_went_well() -> None:
    own = OwnFolder()
    own.close(remove=True)

    assert not own.path.exists()


def test_a_run_folder_is_kept_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEEP, "1")
    own = OwnFolder()
    own.close(remove=True)

    assert own.path.exists()


def test_what_a_dead_run_left_goes_with_the_next_and_what_lives_stays() -> None:
    failed, alive = OwnFolder(), OwnFolder()
    failed.close(remove=False)
    assert failed.path.exists()

    following = OwnFolder()

    assert {path.name for path in run_folder().glob("run-*")} == {alive.path.name, following.path.name}
    alive.close(remove=True)
    following.close(remove=True)
