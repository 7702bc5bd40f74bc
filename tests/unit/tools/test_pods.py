"""The parts of the cluster with real pods that can be looked at without one: tests/pods has the others."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tools.cluster import cgroups, commands, host, network, pause
from tools.servers.binaries import NODE, SERVERS
from tools.servers.environment import NEEDED
from tools.servers.errors import ServersError


def test_who_runs_no_pods_builds_nothing_of_a_node() -> None:
    of_a_node = {binary.name for binary in NODE}

    assert of_a_node <= set(NEEDED["pods"])
    for choice in ("local", "existing", "kind"):
        assert not of_a_node & set(NEEDED[choice])


def test_a_node_has_the_version_of_the_control_plane() -> None:
    modules = Path(host.__file__).parents[1]
    assert {binary.folder for binary in NODE} == {"containerd", "node"}
    assert any(binary.folder == "kubernetes" for binary in SERVERS)

    replaced = [
        (modules / folder / "go.mod").read_text().partition("replace (")[2] for folder in ("kubernetes", "node")
    ]

    assert replaced[0] == replaced[1]


def test_without_root_one_message_says_so_and_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(ServersError, match=r"needs root.*\n.*CLUSTER=kind.*make up"):
        host.require_host()


def test_elsewhere_than_on_linux_only_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    assert host.missing() == ["it needs Linux, and this is darwin"]


def test_missing_programs_are_named_as_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)

    assert any("runc" in lack and "nftables" in lack for lack in host.missing())


def test_a_cache_that_nodes_cannot_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURFEW_CACHE", "/var/cache/curfew")

    assert any("set CURFEW_CACHE" in lack for lack in host.missing())


def test_a_cluster_without_pods_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "local")

    with pytest.raises(ServersError, match="pods or kind"):
        commands.chosen()


def test_nodes_pods_and_services_have_networks_that_are_looked_at_before() -> None:
    for address in (network.HOST, network.node_address(2), network.pod_network(2), network.SERVICES):
        assert address.startswith(host.NETWORKS)


def test_the_groups_of_nodes_are_removed_with_all_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An ordinary folder has no files in it that cannot be removed, as a control group has.
    (tmp_path / "cgroup.controllers").touch()
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)

    assert cgroups.make("node1") == "/curfew-cluster/node1"
    (tmp_path / "curfew-cluster" / "node1" / "kubepods" / "pod1").mkdir(parents=True)
    cgroups.remove()

    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_the_pause_image_is_one_program_that_each_digest_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "_compiled", lambda: b"program")
    archive = tmp_path / "pause.tar"

    pause.write_pause_image(archive)

    with tarfile.open(archive) as opened:
        files = {member.name: opened.extractfile(member).read() for member in opened}  # type: ignore[union-attr]  # all are files
    blobs = {name.rpartition("/")[2]: content for name, content in files.items() if name.startswith("blobs/")}
    assert all(pause._digest(content) == f"sha256:{digest}" for digest, content in blobs.items())
    (described,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blobs[described["digest"].partition(":")[2]])
    assert described["annotations"] == {"io.containerd.image.name": pause.PAUSE}
    (layer,) = manifest["layers"]
    with tarfile.open(fileobj=io.BytesIO(blobs[layer["digest"].partition(":")[2]])) as inner:
        assert [(member.name, member.mode) for member in inner] == [("pause", 0o755)]
