"""Settings that cannot be read: the operator does not start, says why in sentences, and ends with 2."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from curfew.cli import main
from tests.support.operator_process import CURFEW
from tools.servers.cluster import run_command

GOOD: Mapping[str, Any] = {"audit": {"url": "file:///nowhere", "keyFile": "key.pem"}}

NOWHERE: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {"token": "none"}}],
}


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        pytest.param(
            {"audit": {"url": "s3:/typo", "keyFile": "key.pem"}, "limits": {"maxGrnat": "8h"}},
            [
                "config.yaml:3: audit.url is 's3:/typo', which is not the address of a store; write s3://BUCKET/PREFIX",
                "config.yaml:5: there is no setting limits.maxGrnat; did you mean limits.maxGrant?",
            ],
            id="two mistakes",
        ),
        pytest.param("audit: {", ["config.yaml:1: is not YAML:"], id="no YAML"),
        pytest.param(
            {"audit": {"url": "file:///x", "keyFile": "no.pem"}}, ["no.pem, which does not exist"], id="no key"
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, settings: object, sentences: list[str]) -> None:
    """All that is wrong is said at once, each with its place in the file, and nothing else."""
    config = tmp_path / "config.yaml"
    config.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
    (tmp_path / "key.pem").touch()

    done = CliRunner().invoke(main, ["operator", "--config", str(config)], prog_name="curfew")

    assert (done.exit_code, done.stdout) == (2, "")
    for sentence in sentences:
        assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == len(sentences)


def test_settings_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """The file is named."""
    done = CliRunner().invoke(main, ["operator", "--config", str(tmp_path / "none.yaml")], prog_name="curfew")

    assert (done.exit_code, done.stderr) == (2, f"{tmp_path}/none.yaml: cannot be read: No such file or directory.\n")


def started(folder: Path, *, key: str, kubeconfig: Path) -> tuple[int, str]:
    """Start an operator as a process with good settings, and return how it ended and what it said."""
    (folder / "config.yaml").write_text(yaml.safe_dump(GOOD))
    (folder / "key.pem").write_text(key)
    command = [*CURFEW, "operator", "--config", str(folder / "config.yaml"), "--kubeconfig", str(kubeconfig)]
    done = run_command(command, os.environ, stdin=None, check=False, timeout=60)
    return done.returncode, done.stderr


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(NOWHERE))

    code, said = started(tmp_path, key="rubbish", kubeconfig=tmp_path / "kubeconfig")

    assert code == 2
    assert "audit.keyFile" in said
    assert "cannot be used: it is not an unencrypted private key" in said
    assert "Traceback" not in said


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Who cannot say where the API server is gets no further."""
    missing = tmp_path / "none"

    assert started(tmp_path, key="", kubeconfig=missing) == (
        2,
        f"Curfew cannot start: there is no kubeconfig {missing}\n",
    )
