"""How the container image is asked for, and what is said about it. Nothing is built here."""

import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from tools.image.archive import Built, read_archive
from tools.image.builders import BUILDERS, Build, commands
from tools.image.errors import ImageError
from tools.image.origin import CHECKOUT, labels, public_base, source_date

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
BUILD = Build("base:1", "curfew:1", 1_800_000_000, {"a.b": "c d"}, Path("/to/curfew.tar"), Path("/etc/ca.crt"))


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    for name in programs:
        (folder / name).touch(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("present", "first"),
    [
        (["docker", "podman", "buildah"], "buildah"),
        (["docker", "podman"], "podman"),
        (["docker"], "docker"),
    ],
)
def test_the_first_builder_there_is_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: list[str], first: str
) -> None:
    on_path(tmp_path, monkeypatch, *present)
    assert {command[0] for command in commands(BUILD)} == {first}


def test_without_a_builder_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path, monkeypatch)
    with pytest.raises(ImageError, match="buildah, podman or docker, and none of them is on PATH"):
        commands(BUILD)


@pytest.mark.parametrize("builder", BUILDERS)
def test_every_builder_is_asked_the_same(builder: str) -> None:
    asked = BUILDERS[builder](BUILD)
    words = [word for command in asked for word in command]

    assert {"--no-cache", "BASE=base:1", "a.b=c d", "id=pip-cert,src=/etc/ca.crt"} <= set(words)
    assert any("1800000000" in word for word in words)
    assert any("/to/curfew.tar" in word for word in words)
    assert asked[0][-1] == "."


def test_the_time_of_the_image_is_that_of_the_commit_unless_it_is_given() -> None:
    assert source_date({"SOURCE_DATE_EPOCH": "1800000000"}) == 1_800_000_000
    with pytest.raises(ImageError, match="SOURCE_DATE_EPOCH"):
        source_date({"SOURCE_DATE_EPOCH": "yesterday"})


def test_the_labels_are_those_of_the_oci_specification() -> None:
    said = labels("base:1", 1_800_000_000)

    assert said["org.opencontainers.image.created"] == "2027-01-15T08:00:00Z"
    assert said["org.opencontainers.image.base.name"] == "base:1"
    assert said["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {name.rpartition(".")[2] for name in said} >= {"title", "description", "version"}


def test_size_and_digest_are_read_from_the_archive(tmp_path: Path) -> None:
    manifest = json.dumps({"layers": [{"size": 90_000_000}, {"size": 45_000_000}]}).encode()
    index = json.dumps({"manifests": [{"digest": "sha256:abc"}]}).encode()
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in (("index.json", index), ("blobs/sha256/abc", manifest)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

    assert read_archive(path) == Built("sha256:abc", 45_000_000)


def test_the_image_is_the_base_and_one_layer() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert len(re.findall(r"^(?:RUN|COPY|ADD|WORKDIR)\b", final, re.MULTILINE)) == 1
    assert public_base().startswith("docker.io/library/python:")


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    # Kubernetes refuses runAsNonRoot for a name.
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["65532:65532"]


def test_what_the_dockerfile_copies_is_all_that_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert sent == {name for names in copied for name in names.split()}
