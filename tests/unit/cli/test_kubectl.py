"""The commands that use the user's own kubectl: which program runs, what it is given, and what people read if it fails."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curfew.cli.kubectl import Kubectl, KubectlFailed, KubectlMissing, KubectlRefused

Script = Callable[[str], None]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make KUBECTL_PATH name a shell script with this content."""

    def make(content: str) -> None:
        path = tmp_path / "a kubectl"
        path.write_text(f"#!/bin/sh\n{content}\n")
        path.chmod(0o755)
        monkeypatch.setenv("KUBECTL_PATH", str(path))

    return make


def test_arguments_and_input_reach_kubectl_as_they_are(script: Script) -> None:
    script('for each in "$@"; do echo "[$each]"; done; cat')

    answer = Kubectl(context="a b", kubeconfig="/c;d").run(["get", "$(touch x)", "a'b\nc"], stdin="é\n" * 70_000)

    assert answer == "[--context=a b]\n[--kubeconfig=/c;d]\n[get]\n[$(touch x)]\n[a'b\nc]\n" + "é\n" * 70_000


def test_kubectl_is_found_on_path_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho from the path\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("KUBECTL_PATH", raising=False)

    assert Kubectl().run(["version"]) == "from the path\n"


@pytest.mark.parametrize("named", ["", "/nowhere/kubectl"])
def test_a_missing_kubectl_is_named_with_the_next_step(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("KUBECTL_PATH", named)

    with pytest.raises(KubectlMissing, match=r"no kubectl on PATH|/nowhere/kubectl, which cannot be run") as caught:
        Kubectl().run(["version"])

    assert "Install kubectl, or set KUBECTL_PATH" in str(caught.value)


def test_a_program_that_is_no_program_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "kubectl"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    monkeypatch.setenv("KUBECTL_PATH", str(program))

    with pytest.raises(KubectlMissing, match="cannot be run"):
        Kubectl().run(["version"])


def test_a_refusal_is_told_in_words_that_cannot_control_the_terminal(script: Script) -> None:
    script("printf 'Error: forbidden \\033[31m by policy' >&2; exit 1")

    with pytest.raises(KubectlRefused) as caught:
        Kubectl().run(["create", "-f", "-"])

    assert str(caught.value) == "kubectl create failed: Error: forbidden \\x1b[31m by policy"
    assert caught.value.complaint == "Error: forbidden \\x1b[31m by policy"


def test_a_long_complaint_is_cut_and_holds_nobody_up(script: Script) -> None:
    script("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3")

    with pytest.raises(KubectlRefused) as caught:
        Kubectl(seconds=20).run(["get"])

    assert len(str(caught.value)) < 2100


def test_a_kubectl_that_does_not_answer_is_ended(script: Script) -> None:
    script("exec sleep 600")
    begun = time.monotonic()

    with pytest.raises(KubectlFailed, match=r"did not answer within 0\.2 s"):
        Kubectl(seconds=0.2).run(["get"])

    assert time.monotonic() - begun < 600


def test_an_endless_answer_is_cut(script: Script) -> None:
    script("exec cat /dev/zero")

    with pytest.raises(KubectlFailed, match="more than 1 MiB"):
        Kubectl(answer_bytes=2**20, seconds=20).run(["get"])


def test_what_is_read_must_be_json(script: Script) -> None:
    script("echo hello")

    with pytest.raises(KubectlFailed, match="did not answer with JSON"):
        Kubectl().read(["get", "x"])


def test_the_caller_is_whom_the_api_server_knows(script: Script) -> None:
    script("echo '" + json.dumps({"status": {"userInfo": {"username": "alice@example.com"}}}) + "'")
    assert Kubectl().who_am_i() == "alice@example.com"

    script("echo '{}'")
    with pytest.raises(KubectlFailed, match="did not say who you are"):
        Kubectl().who_am_i()


def test_what_kubectl_logs_for_its_developers_is_left_out(script: Script) -> None:
    script('echo \'E1130 17:59:08.793585 2697 memcache.go:381] "x"\' >&2; echo "Error: no" >&2; exit 1')

    with pytest.raises(KubectlRefused) as refused:
        Kubectl().run(["get"])
    assert refused.value.complaint == "Error: no"


def test_documents_are_yielded_as_they_come_and_kubectl_ends_with_the_iterator(script: Script) -> None:
    script('printf \'{\n "a": 1\n}\n{\n "a": 2\n}\n\'; exec sleep 600')
    begun = time.monotonic()
    followed = Kubectl().follow(["get", "x"])

    assert [next(followed), next(followed)] == [{"a": 1}, {"a": 2}]
    followed.close()
    assert time.monotonic() - begun < 600


def test_following_ends_after_a_time_with_what_has_come(script: Script) -> None:
    script('printf \'{\n "a": 1\n}\n{\n "a": 2\n}\n\'; exec sleep 600')
    begun, seconds = time.monotonic(), 0.2

    while not (found := list(Kubectl().follow(["get", "x"], seconds=seconds))):
        seconds *= 2  # kubectl may not even have begun by then

    assert found == [{"a": 1}, {"a": 2}]
    assert time.monotonic() - begun < 600


def test_a_watch_that_is_refused_is_an_error(script: Script) -> None:
    script("echo 'you may not' >&2; exit 1")

    with pytest.raises(KubectlRefused, match="you may not"):
        list(Kubectl().follow(["get", "x"]))
