"""The same with what everybody has at hand: bare kubectl, and an editor that is told what to write."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attacks.calling import ALICE, BOB, CAROL, Who
from tests.attacks.stage import Scene, Stage
from tests.attacks.ways import adding
from tools.servers.cluster import Done

NOT_PEOPLES = "only status.decisions may be changed by users"
STATUS = "--subresource=status"


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line, with what is typed into it or what the editor makes of the object."""

    who: Who
    words: tuple[str, ...]
    stdin: str | None = None
    edit: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody types, the piece of the refusal, and what may be typed."""

    title: str
    attempt: Callable[[Scene], Typed]
    refused: str
    twin: Callable[[Scene], Typed]

    def __str__(self) -> str:
        """Return the title, which names the test."""
        return self.title


def with_decision(scene: Scene, who: Who = BOB, stage: str = "owners") -> str:
    """Return the request as JSON, with a decision."""
    decision = {"by": who.name, "decision": "Approve", **({"stage": stage} if stage else {})}
    return json.dumps(scene.changed(lambda r: r["status"]["decisions"].append(decision)))


def with_phase(scene: Scene) -> str:
    """Return the request as JSON, approved by nobody."""
    return json.dumps(scene.changed(lambda r: r["status"].update(phase="Approved")))


def applied(scene: Scene, who: Who, by: Who) -> Typed:
    """Return a server-side apply of a decision."""
    body = {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": scene.name},
        "status": {"decisions": [{"by": by.name, "decision": "Approve", "stage": "owners"}]},
    }
    words = ("apply", "--server-side", f"--field-manager={by.login}", STATUS, "--filename=-")
    return Typed(who, words, json.dumps(body))


def edited(who: Who, scene: Scene, old: str, new: str, *options: str) -> Typed:
    """Return an edit that puts one text in the place of another."""
    return Typed(who, ("edit", "accessrequest", scene.name, *options), edit=(old, new))


def patched(who: Who, scene: Scene, type_: str, patch: object, *options: str) -> Typed:
    """Return a patch."""
    words = ("patch", "accessrequest", scene.name, f"--type={type_}", f"--patch={json.dumps(patch)}", *options)
    return Typed(who, words)


CASES = [
    Case(
        "apply --server-side of a decision in carol's name",
        lambda s: applied(s, BOB, CAROL),
        "decisions[].by must be bob@example.com",
        lambda s: applied(s, BOB, BOB),
    ),
    Case(
        "replace of the status with another phase",
        lambda s: Typed(BOB, ("replace", STATUS, "--filename=-"), with_phase(s)),
        NOT_PEOPLES,
        lambda s: Typed(BOB, ("replace", STATUS, "--filename=-"), with_decision(s)),
    ),
    Case(
        "replace of the spec",
        lambda s: Typed(
            ALICE,
            ("replace", "--filename=-"),
            json.dumps(s.changed(lambda r: r["spec"].update(duration="8h"))),
        ),
        "spec is immutable",
        lambda s: Typed(
            ALICE,
            ("replace", "--filename=-"),
            json.dumps(s.changed(lambda r: r["metadata"].update(labels={"team": "pay"}))),
        ),
    ),
    Case(
        "create in another's name",
        lambda s: Typed(
            BOB,
            ("create", "--filename=-"),
            json.dumps(s.stage.request(BOB, requester=CAROL.name)),
        ),
        "spec.requester must be bob@example.com",
        lambda s: Typed(BOB, ("create", "--filename=-"), json.dumps(s.stage.request(BOB))),
    ),
    Case(
        "edit of the status by the requester",
        lambda s: edited(ALICE, s, "phase: Pending", "phase: Approved", STATUS),
        NOT_PEOPLES,
        lambda s: edited(
            ALICE, s, "decisions: []", 'decisions: [{"by": "alice@example.com", "decision": "Cancel"}]', STATUS
        ),
    ),
    Case(
        "edit of the spec",
        lambda s: edited(ALICE, s, "duration: 1h", "duration: 8h"),
        "spec is immutable",
        lambda s: edited(ALICE, s, f"  name: {s.name}", f"  name: {s.name}\n  labels: {{team: pay}}"),
    ),
    Case(
        "patch --type=merge of the phase",
        lambda s: patched(BOB, s, "merge", {"status": {"phase": "Approved"}}, STATUS),
        NOT_PEOPLES,
        lambda s: patched(
            BOB,
            s,
            "merge",
            {"status": {"decisions": [{"by": BOB.name, "decision": "Approve", "stage": "owners"}]}},
            STATUS,
        ),
    ),
    Case(
        "patch --type=strategic, which kubectl would take by default",
        lambda s: patched(BOB, s, "strategic", {"status": {"phase": "Approved"}}, STATUS),
        "strategic-merge-patch+json is not supported",
        lambda s: patched(
            BOB,
            s,
            "json",
            [adding(BOB, stage="owners")],
            STATUS,
        ),
    ),
    Case(
        "label with a mark of ours, and --overwrite",
        lambda s: Typed(ALICE, ("label", "accessrequest", s.name, "curfew.dev/closed=true", "--overwrite")),
        "labels and annotations that begin with curfew.dev/ are written by Curfew alone",
        lambda s: Typed(ALICE, ("label", "accessrequest", s.name, "closed=true", "--overwrite")),
    ),
    Case(
        "delete --cascade=orphan --force",
        lambda s: Typed(ALICE, ("delete", "accessrequest", s.name, "--cascade=orphan", "--force")),
        "AccessRequests may not be deleted with --cascade=orphan",
        lambda s: Typed(ALICE, ("delete", "accessrequest", s.name, "--force")),
    ),
    Case(
        "--as somebody else",
        lambda s: patched(ALICE, s, "json", [adding(BOB, stage="owners")], STATUS, "--as=bob@example.com"),
        "cannot impersonate",
        lambda s: patched(BOB, s, "json", [adding(BOB, stage="owners")], STATUS),
    ),
]


@pytest.fixture
def type_in(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Typed], Done]:
    """Return what types a command line in, as this or that person."""
    seen = tmp_path / "seen"
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def run(typed: Typed) -> Done:
        seen.write_text("")
        if typed.edit is not None:
            editor = tmp_path / "editor"
            old, new = (json.dumps(text) for text in typed.edit)
            editor.write_text(
                "#!/usr/bin/env python3\n"
                "import pathlib, sys\n"
                "path = pathlib.Path(sys.argv[1])\n"
                f"pathlib.Path({str(seen)!r}).open('a').write(path.read_text())\n"
                # After a refusal kubectl opens the editor again, with the reason; it ends when nothing is changed.
                f"path.write_text(path.read_text().replace({old}, {new}, 1))\n"
            )
            editor.chmod(0o700)
            monkeypatch.setenv("KUBE_EDITOR", str(editor))
        words = (f"--namespace={stage.namespace}", *typed.words)
        done = stage.cluster.kubectl(*words, user=typed.who.login, stdin=typed.stdin, check=False)
        return Done(done.args, done.returncode, done.stdout, done.stderr + seen.read_text())

    return run


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kubectl(stage: Stage, type_in: Callable[[Typed], Done], case: Case) -> None:
    """Somebody types what they should not, and then what they may."""
    scene = stage.in_phase("Pending")

    refused = type_in(case.attempt(scene))
    done = type_in(case.twin(scene))

    assert case.refused in refused.stderr
    assert refused.returncode != 0
    assert done.returncode == 0, done.stderr
