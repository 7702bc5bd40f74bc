"""`kubectl curfew ui`: how it starts, and what it says if it cannot."""

import stat
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curfew.cli.page import starting
from curfew.cli.page.serving import listen
from curfew.cli.plugin import plugin
from tests.support.builders import BOB
from tests.support.own_page import PageKubectl

ADDRESS = "http://127.0.0.1:8400/a-secret/"


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageKubectl:
    """Return the kubectl that the page uses."""
    made = PageKubectl(tmp_path / "kubectl")
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Serve nothing, and end at once; return where the page would look."""
    within: list[str] = []

    async def serve(_: Any, sock: Any, where: str, ready: Callable[[str], None]) -> None:
        sock.close()
        within.append(where)
        ready(ADDRESS)

    monkeypatch.setattr(starting, "serve", serve)
    return within


def ui(*arguments: object) -> Result:
    """Run `kubectl curfew ui`; a traceback fails the test."""
    result = CliRunner().invoke(plugin, ["ui", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_it_says_who_looks_and_where(served: list[str]) -> None:
    result = ui("-A")

    assert result.exit_code == 0
    assert f"As {BOB}." in result.output
    assert ADDRESS in result.output
    assert served == ["*"]


def test_kubectl_gets_what_was_typed(served: list[str], kubectl: PageKubectl) -> None:
    assert ui("--context", "prod", "--as", "carol@example.com").exit_code == 0

    assert all("--context=prod --as=carol@example.com" in line for line in kubectl.asked)


def test_the_browser_is_not_given_the_address_which_everybody_could_see(
    served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_(address: str) -> bool:
        file = Path(address.removeprefix("file://"))
        assert ADDRESS in file.read_text()
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        opened.append(address)
        return False

    monkeypatch.setattr(webbrowser, "open", open_)
    result = ui("--open")

    (address,) = opened
    assert address.startswith("file://")
    assert "a-secret" not in address
    assert "open the address yourself" in result.output
    assert not Path(address.removeprefix("file://")).exists()


def test_a_cluster_that_does_not_answer_ends_it(kubectl: PageKubectl) -> None:
    kubectl.program.write_text(
        "#!/bin/sh\necho 'error: You must be logged in to the server (Unauthorized)' >&2\nexit 1\n"
    )
    result = ui()

    assert result.exit_code == 1
    assert "You must be logged in" in result.output


def test_a_port_that_is_taken_is_told_so() -> None:
    with listen(0) as sock:
        result = ui("--port", sock.getsockname()[1])

    assert result.exit_code == 1
    assert "Leave out --port" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--port", 80], "1024<=x<=65535"),
        (["--anchor", "main/1/2/00"], "give its location with --store"),
        (["--store", "ftp://x"], "is neither a folder nor an address"),
        (["--store", "/no/such/folder"], "There is no folder"),
    ],
)
def test_a_wrong_option_is_told_before_there_is_a_page(options: list[object], told: str) -> None:
    result = ui(*options)

    assert result.exit_code != 0
    assert told in result.output
