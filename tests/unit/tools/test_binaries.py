"""The cache key changes whenever the built binary would, and versions come from the go.mod."""

import re

import pytest

from tools.servers.binaries import BINARIES, BY_NAME, cache_key, go_version, linker_flags, recipe, required_version
from tools.servers.errors import ServersError
from tools.servers.folders import MODULES

GO_MOD = """module curfew.dev/tools/thing

go 1.26.0

require (
	example.org/other v0.1.0 // indirect
	example.org/thing/v2 v2.3.4 // indirect
)
"""


def test_a_version_is_read_from_a_block_of_requirements() -> None:
    assert required_version(GO_MOD, "example.org/thing/v2") == "v2.3.4"


def test_a_version_is_read_from_a_single_requirement() -> None:
    assert required_version("go 1.26.0\n\nrequire example.org/thing v1.0.0\n", "example.org/thing") == "v1.0.0"


def test_a_replacement_is_not_a_requirement() -> None:
    with pytest.raises(ServersError, match=r"does not require example\.org/thing"):
        required_version("replace example.org/thing => example.org/thing v1.0.0\n", "example.org/thing")


def test_the_wanted_go_is_read() -> None:
    assert go_version(GO_MOD) == "1.26.0"


def test_the_same_inputs_have_the_same_key() -> None:
    assert cache_key(b"mod", b"sum", ("-s",), "linux/amd64") == cache_key(b"mod", b"sum", ("-s",), "linux/amd64")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((b"mod2", b"sum", ("-s",), "linux/amd64"), id="another go.mod"),
        pytest.param((b"mod", b"sum2", ("-s",), "linux/amd64"), id="another go.sum"),
        pytest.param((b"mod", b"sum", ("-w",), "linux/amd64"), id="other flags"),
        pytest.param((b"mod", b"sum", ("-s",), "linux/arm64"), id="another platform"),
        pytest.param((b"mods", b"um", ("-s",), "linux/amd64"), id="the same bytes, divided elsewhere"),
    ],
)
def test_any_other_input_has_another_key(other: tuple[bytes, bytes, tuple[str, ...], str]) -> None:
    assert cache_key(*other) != cache_key(b"mod", b"sum", ("-s",), "linux/amd64")


def test_kubernetes_is_told_its_own_version() -> None:
    flags = linker_flags(BY_NAME["kube-apiserver"], "v1.37.2")

    assert "version.gitVersion=v1.37.2 " in flags
    assert "version.gitMajor=1 " in flags
    assert "version.gitMinor=37 " in flags


@pytest.mark.parametrize("name", BY_NAME)
def test_each_binary_has_a_pinned_module_and_a_recipe(name: str) -> None:
    made = recipe(BY_NAME[name], "linux/amd64")

    assert re.fullmatch(rf"{name}-v[\d.]+-[0-9a-f]{{16}}", made.folder_name)
    assert made.path.parent.name == made.folder_name


def test_each_go_mod_names_its_tools() -> None:
    for binary in BINARIES:
        assert f"{binary.package}\n" in (MODULES / binary.folder / "go.mod").read_text()


def test_prometheus_is_built_without_the_clients_of_clouds() -> None:
    assert "-tags=remove_all_sd" in recipe(BY_NAME["prometheus"], "linux/amd64").arguments
    assert "-tags=" not in " ".join(recipe(BY_NAME["etcd"], "linux/amd64").arguments)
