"""The command itself: it starts fast, says what it can do, and ends as a shell expects."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from curfew import cli
from curfew.cli import lazy
from curfew.cli.plugin import plugin


def test_help_names_all_commands_in_a_sensible_order() -> None:
    result = CliRunner().invoke(cli.main, ["--help"])

    assert result.exit_code == 0
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == [
        "audit",
        "alerts",
        "stats",
        "doctor",
        "lock",
        "unlock",
        "locks",
        "operator",
        "monitor",
        "sweep",
        "end-grants",
        "policies",
        "self-test",
    ]


@pytest.mark.parametrize("name", cli.main.list_commands(click.Context(cli.main)))
def test_each_command_is_there_under_its_name(name: str) -> None:
    command = cli.main.get_command(click.Context(cli.main), name)

    assert command is not None
    assert command.name == name
    assert command.help


@pytest.mark.parametrize(
    ("typed", "meant"), [(["audti"], "Did you mean audit?"), (["audit", "serch"], "Did you mean search?")]
)
def test_a_typo_is_answered_with_what_may_be_meant(typed: list[str], meant: str) -> None:
    result = CliRunner().invoke(cli.main, typed)

    assert result.exit_code == 2
    assert meant in result.stderr


def test_help_loads_nothing_heavy() -> None:
    """A plugin of kubectl is run many times a day; no client of anything is loaded to print a help text."""
    script = (
        "import sys, curfew.cli\n"
        "curfew.cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'kopf', 'kubernetes', 'pydantic', 'obstore', 'botocore', 'aiohttp', 'cryptography'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)  # noqa: S603  our own interpreter


def test_auditing_loads_no_cluster_client() -> None:
    script = (
        "import sys, curfew.cli.audit\n"
        "heavy = {'kopf', 'kubernetes', 'pydantic', 'aiohttp'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)  # noqa: S603  our own interpreter


def test_the_operator_loads_no_client_that_it_does_not_use() -> None:
    """Kopf would import the official client, which a pod does not need. A kubeconfig still does."""
    script = (
        "import sys, curfew.cli.operator\n"
        "assert 'kopf' in sys.modules\n"
        "heavy = {name for name in sys.modules if name.startswith(('kubernetes', 'pykube', 'requests'))}\n"
        "assert not heavy, heavy\n"
        "import kubernetes.aio.config\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=30)  # noqa: S603  our own interpreter


def test_it_is_a_module_as_well() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "curfew", "--version"], check=True, capture_output=True, text=True, timeout=30
    )
    assert ended.stdout.startswith("curfew 0.")


def test_an_unknown_command_is_a_wrong_command() -> None:
    result = CliRunner().invoke(cli.main, ["revok"])

    assert result.exit_code == 2
    assert "No such command 'revok'" in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_ends_it_in_one_line_with_the_shells_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    @click.command("audit")
    def interrupted() -> None:
        raise error

    monkeypatch.setattr(lazy.Subcommand, "load", lambda self, package: interrupted)

    result = CliRunner().invoke(cli.main, ["audit"])

    assert result.exit_code == 130
    assert (result.stdout, result.stderr) == ("", "Stopped.\n")


@pytest.mark.parametrize(("program", "named"), [(cli.main, "curfew"), (plugin, "kubectl curfew")])
def test_help_calls_it_as_people_type_it(
    program: click.Group, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/some-name", "--help"])

    with pytest.raises(SystemExit) as ended:
        program()

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"Usage: {named} [OPTIONS]")
