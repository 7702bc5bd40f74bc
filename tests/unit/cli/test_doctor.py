"""`kubectl curfew doctor` on a kubectl that answers from files: what people read, exit codes, and what never leaves kubectl."""

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curfew.cli.doctor import ending
from curfew.cli.plugin import plugin
from tests.support.ending import certificate, web_token

FORBIDDEN = "Error from server (Forbidden): no"


class Kubectl:
    """A folder with a kubectl in it. What has no answer is forbidden."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "kubectl"
        self.program.write_text(
            f"""#!/bin/sh
case "$*" in
*whoami*) what=whoami ;;
*"get deployments"*) what=deployments ;;
*"get clusterroles"*) what=rbac ;;
*"get secrets"*) what=secrets ;;
*"get pods"*) what=pods ;;
*" logs "*|logs*) what=log ;;
*) what=nothing ;;
esac
test -e {folder}/$what && exec cat {folder}/$what
echo '{FORBIDDEN}' >&2; exit 1
"""
        )
        self.program.chmod(0o755)
        self.answer("whoami", {"metadata": {"creationTimestamp": "2026-11-23T12:00:00Z"}})

    def answer(self, what: str, body: Any) -> None:
        (self.folder / what).write_text(body if isinstance(body, str) else json.dumps(body))

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(plugin, ["doctor", *args], env={"KUBECTL_PATH": str(self.program)})


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path)


def binding(name: str) -> dict[str, Any]:
    subject = {"kind": "User", "name": name}
    role = {
        "kind": "ClusterRole",
        "metadata": {"name": "r"},
        "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    }
    bound = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [subject],
    }
    return {"items": [role, bound]}


def test_what_people_read(kubectl: Kubectl) -> None:
    kubectl.answer("rbac", binding("eve\x1b[2J"))
    told = kubectl.run()
    assert told.exit_code == 1
    assert (
        "WARNING D300  Somebody can do everything\n"
        "  eve\\x1b[2J may do everything, everywhere.\n"
        "  Path: ClusterRoleBinding b → ClusterRole r → do anything with every resource\n"
    ) in told.stdout
    assert "  See:  docs/doctor.md#d300\n" in told.stdout
    assert f"  Not checked: AccessPolicies. {FORBIDDEN}\n" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("1 warning finding, 1 note, ")


def test_exit_codes(kubectl: Kubectl) -> None:
    assert kubectl.run().exit_code == 2
    kubectl.answer("rbac", binding("eve"))
    assert kubectl.run("--fail-on=critical").exit_code == 2
    assert kubectl.run().exit_code == 1
    (kubectl.folder / "whoami").unlink()
    refused = kubectl.run()
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert FORBIDDEN.removeprefix("Error from server ") in refused.stderr


def test_compared(kubectl: Kubectl) -> None:
    kubectl.answer("rbac", binding("eve"))
    last = kubectl.folder / "last.json"
    last.write_text(kubectl.run("-o", "json").stdout)
    assert kubectl.run(f"--compare={last}").exit_code == 2
    kubectl.answer("rbac", binding("mallory"))
    told = kubectl.run(f"--compare={last}")
    assert told.exit_code == 1
    assert "WARNING D300  Somebody can do everything  (new)\n" in told.stdout
    assert "Gone since then: D300 eve by ClusterRoleBinding b\n" in told.stdout
    last.write_text("{}")
    assert "it is no report of this version" in kubectl.run(f"--compare={last}").stderr
    last.write_text("{")
    assert "cannot be read" in kubectl.run(f"--compare={last}").stderr


def test_a_bundle(kubectl: Kubectl) -> None:
    kubectl.answer("pods", {"items": [{"kind": "Pod", "metadata": {"name": "curfew-0", "namespace": "curfew-system"}}]})
    kubectl.answer("log", "it began\nAuthorization: Bearer 0123456789abcdef\n")
    path = kubectl.folder / "bundle.json"
    told = kubectl.run(f"--bundle={path}")
    assert "Read it before you send it" in told.stderr
    bundle = json.loads(path.read_text())
    assert bundle["logs"] == {"curfew-0": ["it began", "Authorization: Bearer ***"]}
    assert bundle["report"]["findings"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "cannot be written: File exists" in kubectl.run(f"--bundle={path}").stderr


def line(name: str, key: str, value: bytes) -> str:
    return f"value {name} {key} {base64.b64encode(value).decode()}"


def test_what_ends() -> None:
    made, _ = certificate(timedelta(days=10))
    told = "\n".join([line("s", "tls.crt", made), line("t", "token", web_token(timedelta(days=2))), "account u curfew"])
    crt, token = ending.expiries(told)
    assert (crt.what, crt.is_token) == ("Secret s, tls.crt", False)
    assert abs(crt.at - datetime.now(UTC) - timedelta(days=10)) < timedelta(minutes=10)
    assert (token.what, token.is_token) == ("Secret t, token", True)
    assert ending.token_secrets(told) == [{"metadata": {"name": "u"}, "account": "curfew"}]


@pytest.mark.parametrize(
    "told",
    [
        "value s k not-base64!",
        "value s k",
        "",
        line("s", "k", b"eyJ.x"),
        line("s", "k", b"eyJhbGciOiJub25lIn0.bnVsbA.x"),
        line("s", "k", b"eyJhbGciOiJub25lIn0.eyJleHAiOiAxZTk5OX0.x"),
        line("s", "k", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        line("s", "k", b"-----BEGIN CERTIFICATE-----"),
    ],
)
def test_rubbish_ends_nothing(told: str) -> None:
    assert ending.expiries(told) == []
