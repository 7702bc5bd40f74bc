"""The commands about locks, on a kubectl that answers from a file and remembers what it was asked."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from tests.support.builders import ALICE, BOB, CAROL, a_lock

IN_FORCE = {
    "grantsEnded": 3,
    "conditions": [
        {
            "type": "InForce",
            "status": "True",
            "reason": "Locked",
            "message": "it is",
            "lastTransitionTime": "2026-11-23T12:00:00Z",
        }
    ],
}


class Cluster:
    """A folder with a kubectl in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer("whoami", {"status": {"userInfo": {"username": CAROL}}})
        self.hold()
        asked, given = shlex.quote(str(folder / "asked")), shlex.quote(str(folder))
        self.program = folder / "kubectl"
        self.program.write_text(
            f"""#!/bin/sh
echo "$@" >> {asked}
case "$*" in
*whoami*) cat {given}/whoami ;;
*create*) cat > {given}/created; cat {given}/lock ;;
*wait*) echo "timed out waiting for the condition" >&2; exit 1 ;;
*"get accesslocks.curfew.dev lock"*) cat {given}/lock ;;
*get*) cat {given}/locks ;;
*delete*) test ! -e {given}/refusal || {{ cat {given}/refusal >&2; exit 1; }} ;;
esac
"""
        )
        self.program.chmod(0o755)

    def answer(self, what: str, body: Any) -> None:
        (self.folder / what).write_text(body if isinstance(body, str) else json.dumps(body))

    def hold(self, *locks: Any, **status: Any) -> None:
        self.answer("locks", {"items": list(locks)})
        self.answer("lock", {**a_lock(), "status": status})

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    @property
    def created(self) -> Any:
        return json.loads((self.folder / "created").read_text())


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path)
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


def curfew(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def test_a_person_is_locked_in_the_callers_name(cluster: Cluster) -> None:
    cluster.hold(**IN_FORCE)
    done = curfew("lock", ALICE, "--reason", "laptop stolen; $(call) 'us'", "--context", "prod")

    assert done.exit_code == 0, done.output
    assert cluster.created["spec"] == {
        "target": {"person": ALICE},
        "reason": "laptop stolen; $(call) 'us'",
        "submittedBy": CAROL,
    }
    assert all(call.startswith("--context=prod ") for call in cluster.asked)
    assert done.output.splitlines() == [
        f"AccessLock lock is made: access of {ALICE} is locked until it is lifted.",
        "It is in force. 3 grants ended so far (curfew locks).",
        "Lift it with: curfew unlock lock",
    ]


@pytest.mark.parametrize(
    ("options", "target"),
    [
        (["--policy", "payments/debug"], {"policy": "payments/debug"}),
        (["-n", "payments"], {"namespace": "payments"}),
        (["--everything"], {"everything": True}),
    ],
)
def test_other_targets(cluster: Cluster, options: list[str], target: dict[str, Any]) -> None:
    done = curfew("lock", *options, "--reason", "x", "--for", "2h", "--name", "incident", "--no-wait")

    assert done.exit_code == 0, done.output
    assert cluster.created["metadata"] == {"name": "incident"}
    assert cluster.created["spec"]["target"] == target
    assert cluster.created["spec"]["endsAt"].endswith("Z")


@pytest.mark.parametrize(
    "options",
    [
        [],
        [ALICE, "--everything"],
        [ALICE, "-n", "payments"],
        [ALICE, "--for", "soon"],
        [ALICE, "--for", "-2h"],
        [ALICE, "--for", "0"],
        [ALICE, "--for", "99999999999h"],
    ],
)
def test_what_is_not_clear_locks_nothing(cluster: Cluster, options: list[str]) -> None:
    done = curfew("lock", *options, "--reason", "x")

    assert done.exit_code == 2, done.output
    assert not (cluster.folder / "created").exists()


def test_a_lock_that_curfew_does_not_keep_to_is_an_error_with_the_next_step(cluster: Cluster) -> None:
    done = curfew("lock", ALICE, "--reason", "x")

    assert done.exit_code == 1
    assert "is not known to be in force after 10 s. Check that the operator runs" in done.output


def test_a_lock_is_lifted_by_its_name_and_by_its_person(cluster: Cluster) -> None:
    cluster.hold(a_lock("one"), a_lock("two", target={"person": ALICE.upper()}), a_lock("bobs", target={"person": BOB}))

    assert curfew("unlock", "bobs").output == "AccessLock bobs is lifted.\n"
    assert curfew("unlock", ALICE).output == "AccessLock one is lifted.\nAccessLock two is lifted.\n"
    assert [call for call in cluster.asked if call.startswith("delete")] == [
        f"delete accesslocks.curfew.dev {name} --output=name" for name in ("bobs", "one", "two")
    ]
    nobody = curfew("unlock", "p" * 1000)
    assert (nobody.exit_code, "there is no lock ppp" in nobody.output) == (1, True)
    assert curfew("unlock", "--everything").exit_code == 1


def test_a_refusal_to_lift_is_told(cluster: Cluster) -> None:
    cluster.hold(a_lock("one"))
    cluster.answer("refusal", "nobody lifts a lock on themselves")
    done = curfew("unlock", "one")

    assert done.exit_code == 1
    assert "nobody lifts a lock on themselves" in done.output


def test_locks_are_listed_with_what_cannot_be_read_and_nothing_controls_the_terminal(cluster: Cluster) -> None:
    assert curfew("locks").output == "Nothing is locked.\n"
    evil = {**a_lock("evil", reason="\x1b[2Jhello"), "status": IN_FORCE}
    cluster.hold({"metadata": {"name": "broken"}, "spec": 7}, evil, a_lock("past", endsAt="2026-11-23T12:30:00Z"))
    done = curfew("locks")

    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "broken\n  this version cannot read it" in done.output
    assert f"evil: access of {ALICE}, until it is lifted\n  in force; 3 grants ended\n  by {CAROL}" in done.output
    assert "\\x1b[2Jhello" in done.output
    assert "past: " in done.output
    assert json.loads(curfew("locks", "-o", "json").output)["items"][0]["metadata"]["name"] == "broken"


@pytest.mark.parametrize("answer", ["", "[]", "null", '{"items": 7}'])
def test_an_answer_that_is_none_is_an_error(cluster: Cluster, answer: str) -> None:
    cluster.answer("locks", answer)
    assert curfew("locks").exit_code == 1
