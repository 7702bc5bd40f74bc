"""Settings that cannot be read: the operator does not start, says why in sentences, and ends with 2."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.operator_process import CURFEW
from tools.servers.cluster import Done, run_command

GOOD: Mapping[str, Any] = {"audit": {"url": "file:///nowhere", "keyFile": "key.pem"}}

NOWHERE: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {"token": "none"}}],
}


def start(folder: Path, settings: object, *, key: str = "") -> Done:
    """Try to start an operator, and return what it said."""
    config = folder / "config.yaml"
    config.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
    (folder / "key.pem").write_text(key)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(NOWHERE))
    command = [*CURFEW, "operator", "--config", str(config), "--kubeconfig", str(kubeconfig)]
    return run_command(command, os.environ, stdin=None, check=False, timeout=30)


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
        pytest.param(GOOD, ["audit.keyFile", "cannot be used: it is not an unencrypted private key"], id="bad key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, settings: object, sentences: list[str]) -> None:
    """All that is wrong is said at once, each with its place in the file, and nothing else."""
    done = start(tmp_path, settings, key="rubbish")

    assert done.returncode == 2
    for sentence in sentences:
        assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """The file is named."""
    command = [*CURFEW, "operator", "--config", str(tmp_path / "none.yaml")]
    done = run_command(command, os.environ, stdin=None, check=False, timeout=30)

    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/none.yaml: cannot be read: No such file or directory.\n")


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Who cannot say where the API server is gets no further."""
    missing = tmp_path / "none"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(GOOD))
    (tmp_path / "key.pem").touch()
    command = [*CURFEW, "operator", "--config", str(tmp_path / "config.yaml"), "--kubeconfig", str(missing)]
    done = run_command(command, os.environ, stdin=None, check=False, timeout=30)

    assert (done.returncode, done.stderr) == (2, f"Curfew cannot start: there is no kubeconfig {missing}\n")
