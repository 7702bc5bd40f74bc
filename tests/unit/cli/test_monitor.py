"""`curfew monitor` shows what keeps it from starting, and what would be right."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from curfew.cli.monitor import monitor
from tests.support.kube import kubeconfig
from tools.servers.audit import AuditFeed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "trail").mkdir()
    return tmp_path


@pytest.fixture
def feed(tmp_path: Path) -> AuditFeed:
    feed = AuditFeed(tmp_path / "feed")
    feed.close()
    return feed


def run(
    folder: Path, feed: AuditFeed, *, port: int = 0, more: str = "", intake: str = "", kube: Path | None = None
) -> Result:
    (folder / "settings.yaml").write_text(
        f"""\
trail: {{url: "file://{folder}/trail"}}
audit: {{url: "file://{folder}/trail", keyFile: key.pem}}
intake:
  webhook:
    {{host: 127.0.0.1, port: {port}, certFile: {feed.certificate}, keyFile: {feed.key}, tokenFile: {feed.token}}}
{intake}
server: {{host: 127.0.0.1, port: 0}}
{more}
"""
    )
    kube = kube or kubeconfig(folder / "kubeconfig", "http://127.0.0.1:1")
    return CliRunner().invoke(monitor, ["--config", str(folder / "settings.yaml"), "--kubeconfig", str(kube)])


def test_wrong_settings_are_named_with_what_would_be_right(folder: Path, feed: AuditFeed) -> None:
    result = run(folder, feed, more="coverage: {servers: many}")
    assert result.exit_code == 2
    assert "coverage.servers is 'many'; write the number of API servers" in result.stderr


def test_a_kubeconfig_that_is_missing_is_named(folder: Path, feed: AuditFeed) -> None:
    result = run(folder, feed, kube=folder / "absent")
    assert result.exit_code == 2
    assert f"The monitor cannot start: there is no kubeconfig {folder / 'absent'}" in result.stderr


def test_a_key_that_cannot_be_used_is_named(folder: Path, feed: AuditFeed) -> None:
    (folder / "key.pem").write_text("no key")
    result = run(folder, feed)
    assert result.exit_code == 2
    assert "audit.keyFile" in result.stderr


def test_a_port_that_is_taken_is_named(folder: Path, feed: AuditFeed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(folder, feed, port=port)
    assert result.exit_code == 2
    assert f"port {port}" in result.stderr


def test_a_certificate_that_cannot_be_used_is_named(folder: Path, feed: AuditFeed) -> None:
    feed.certificate.write_text("no certificate")
    result = run(folder, feed)
    assert result.exit_code == 2
    assert str(feed.certificate) in result.stderr


def test_a_mapping_that_cannot_be_read_is_named(folder: Path, feed: AuditFeed) -> None:
    (folder / "mapping.yaml").write_text("system: 7")
    result = run(folder, feed, intake="  mappings: [mapping.yaml]")
    assert result.exit_code == 2
    assert "mapping.yaml:1: system is 7" in result.stderr
