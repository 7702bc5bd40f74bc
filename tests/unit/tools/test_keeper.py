"""The state file of `up` is believed only while its lock is held."""

from pathlib import Path

import pytest

from tools.servers import keeper
from tools.servers.commands import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURFEW_CACHE", str(tmp_path))


def a_state() -> keeper.State:
    return {
        "status": keeper.READY,
        "pid": 1,
        "folder": "/run",
        "cluster": "local",
        "server": "https://127.0.0.1:1",
        "environ": {"KUBECONFIG": "/a folder/kubeconfig", "AWS_ENDPOINT_URL": "http://127.0.0.1:2"},
        "path": ["/bin/a", "/bin/b"],
        "servers": [],
    }


def test_a_state_is_read_as_it_was_written() -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

    assert keeper.read_state() == a_state()


def test_the_state_is_private() -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

    assert keeper.state_path().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [pytest.param("", id="empty"), pytest.param("{", id="cut off"), pytest.param("[]", id="no state")]
)
def test_a_state_that_cannot_be_read_is_none(content: str) -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.state_path().write_text(content)

    assert keeper.read_state() is None


def test_only_one_holds_the_lock() -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        assert keeper.try_lock() is None

    (keeper.try_lock() or pytest.fail("still locked")).close()


def test_down_takes_a_stale_state_away(capsys: pytest.CaptureFixture[str]) -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

    assert main(["down"]) == 0

    assert capsys.readouterr().out == "Nothing is up.\n"
    assert not keeper.state_path().exists()


def test_status_does_not_believe_a_stale_state(capsys: pytest.CaptureFixture[str]) -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

    assert main(["status"]) == 1
    assert capsys.readouterr().out == "Nothing is up.\n"


def test_a_second_up_says_that_it_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

        assert main(["up"]) == 0

    assert capsys.readouterr().out.startswith("It is already up.\n")


def test_env_quotes_for_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    with keeper.try_lock() or pytest.fail("locked"):
        keeper.write_state(a_state())

        assert main(["env"]) == 0

    said = capsys.readouterr().out
    assert "export KUBECONFIG='/a folder/kubeconfig'\n" in said
    assert 'export PATH=/bin/a:/bin/b:"$PATH"\n' in said


def test_env_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == 1

    assert "make up" in capsys.readouterr().err
