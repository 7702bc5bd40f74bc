"""`kubectl curfew` on a kubectl that answers from files: how fast it starts, what it asks kubectl, and what people read."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner, Result

from curfew.cli.plugin import plugin
from curfew.cli.requests import deciding
from curfew.cli.requests.output import table
from tests.support.builders import ALICE, BOB, a_decision, a_policy, a_request, a_role

FIRST_TYPED: Final = ("request", "list", "show", "approve", "deny", "cancel", "revoke", "explain", "watch")

ALLOWED: Final = {"click", "curfew"}
"""What the plugin may import at its start, beside the standard library."""

SLOW: Final = {"asyncio", "decimal", "difflib", "email", "http", "logging", "ssl", "urllib.request", "zoneinfo"}
"""Parts of the standard library that it has no time for."""


class Cluster:
    """A folder with a kubectl in it, which answers each kind of call from a file and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer("whoami", {"status": {"userInfo": {"username": BOB}}})
        self.answer("may", {"kind": "List", "items": []})
        self.hold(self.request())
        self.answer("role", a_role())
        self.answer("policies", {"items": [a_policy()]})
        asked, given = shlex.quote(str(folder / "asked")), shlex.quote(str(folder))
        self.program = folder / "kubectl"
        self.program.write_text(
            f"""#!/bin/sh
echo "$@" >> {asked}
case "$*" in
*whoami*) cat {given}/whoami ;;
*validate=false*) cat > {given}/questions; cat {given}/may ;;
*"create "*) cat > {given}/created; cat {given}/request ;;
*"patch "*) test ! -e {given}/refusal || {{ cat {given}/refusal >&2; exit 1; }}; cat {given}/request ;;
*"--output=name"*) echo accessrequest.curfew.dev/inc-1 ;;
*--watch*) cat {given}/watched ;;
*"get accessrequests.curfew.dev inc-1"*) cat {given}/request ;;
*"get accessrequests.curfew.dev --"*|*"get accessrequests.curfew.dev") cat {given}/requests ;;
*"get accesspolicies.curfew.dev"*) cat {given}/policies ;;
*"bindings."*) cat {given}/bindings ;;
*"get clusterroles"*) cat {given}/role ;;
*) echo 'Error from server (NotFound): it is not there' >&2; exit 1 ;;
esac
"""
        )
        self.program.chmod(0o755)

    @staticmethod
    def request(phase: str = "Pending", *, uid: str = "u-1", spec: Any = (), **status: Any) -> dict[str, Any]:
        body = a_request("inc-1", **dict(spec))
        body["metadata"]["uid"] = uid
        role = {"kind": "ClusterRole", "name": "payments-debug"}
        terms = {"digest": "d", "role": role, "risk": ["ExecsIntoPods"], "stages": [{"name": ""}]}
        body["status"] = {"phase": phase, "approvals": "0/1", "terms": terms, **status}
        return body

    def answer(self, what: str, body: Any) -> None:
        (self.folder / what).write_text(body if isinstance(body, str) else json.dumps(body, indent=4) + "\n")

    def hold(self, *requests: dict[str, Any]) -> None:
        self.answer("request", requests[0])
        self.answer("requests", {"items": list(requests)})

    @property
    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def created(self) -> Any:
        return json.loads((self.folder / "created").read_text())


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path)
    monkeypatch.setenv("KUBECTL_PATH", str(made.program))
    return made


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("deciding", "request"):
        monkeypatch.setattr(f"curfew.cli.requests.{module}.is_interactive", lambda: True)


def curfew(*args: str, typed: str | None = None) -> Result:
    result = CliRunner().invoke(plugin, args, input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


# --- how it starts


@pytest.mark.parametrize("typed", [["--help"], ["list"], ["approve", "--help"], ["request", "--help"]], ids=" ".join)
def test_it_starts_with_little(
    typed: list[str], cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    script = (
        "import sys\n"
        "from curfew.cli.plugin import plugin\n"
        f"try: plugin({typed!r})\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-X", "importtime", "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    lines = done.stderr.splitlines()
    modules = set(lines[-1].split())
    bare = set(
        subprocess.run(
            [sys.executable, "-c", "import sys; print(*sys.modules)"], check=True, capture_output=True, text=True
        ).stdout.split()
    )
    tops = {name.partition(".")[0] for name in modules - bare} - sys.stdlib_module_names
    assert {name for name in tops if not name.startswith("_")} <= ALLOWED
    assert modules & SLOW == set()
    own = [re.match(r"import time:\s+(\d+)", line) for line in lines]
    took = sum(int(one[1]) for one in own if one is not None) / 1000
    record_property(f"importing {len(modules)} modules for {' '.join(typed)}", f"{took:.0f} ms")


def test_each_command_is_there_under_its_name() -> None:
    context = click.Context(plugin)
    names = plugin.list_commands(context)

    assert tuple(names[: len(FIRST_TYPED)]) == FIRST_TYPED
    for name in names:
        command = plugin.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_the_program_ends_with_its_exit_code(cluster: Cluster) -> None:
    program = Path(sys.executable).parent / "kubectl-curfew"
    done = subprocess.run([program, "show", "inc-2"], capture_output=True, text=True, timeout=60)  # noqa: S603  our own

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: Error from server (NotFound): it is not there\n"


# --- looking


def test_the_list_has_open_ones_first(cluster: Cluster) -> None:
    over = cluster.request("Denied", endReason="DeniedByApprover", endedAt="2026-11-23T12:30:00Z")
    cluster.hold(over, cluster.request(decideBy="2099-11-23T13:00:00Z"))
    lines = curfew("list").output.splitlines()

    assert lines[0].split() == ["NAME", "PHASE", "WHO", "POLICY", "WAITS", "FOR", "WHEN"]
    assert re.fullmatch(
        rf"inc-1  Pending  {ALICE}  debug   1 approval +to decide in .*, 2099-11-23 13:00 UTC", lines[1]
    )
    assert re.fullmatch(
        rf"inc-1  Denied   {ALICE}  debug   - \(DeniedByApprover\)  ended .* ago, 2026-11-23 12:30 UTC", lines[2]
    )


def test_options_reach_kubectl_and_fields_are_selected_there(cluster: Cluster) -> None:
    passed = ["--context=c x", "--kubeconfig=/k", "--as=eve", "--as-group=a", "--as-group=b", "--request-timeout=3s"]
    curfew("list", "debug", "--mine", "--open", *passed, "-n", "payments")

    who, asked = cluster.asked
    assert who == f"{' '.join(passed[:3])} --request-timeout=3s --as-group=a --as-group=b auth whoami --output=json"
    assert "get accessrequests.curfew.dev --namespace=payments --field-selector=spec.policyName=debug," in asked
    assert f"spec.requester={BOB},status.phase!=Denied" in asked
    assert curfew("list", "-o", "name").output == "accessrequest.curfew.dev/inc-1\n"
    assert curfew("show", "inc-1", "--output", "name").output == "accessrequest.curfew.dev/inc-1\n"


def test_an_empty_list_and_a_long_one(cluster: Cluster) -> None:
    cluster.answer("requests", {"items": []})
    assert curfew("list", "-A").output == "No requests. To ask for access: kubectl curfew request\n"

    cluster.hold(*[cluster.request("Expired")] * 15)
    assert curfew("list").output.splitlines()[11:] == ["5 more are over; --all shows them."]
    assert len(curfew("list", "--all", "-A").output.splitlines()) == 16


def test_what_others_wrote_cannot_control_the_terminal(cluster: Cluster) -> None:
    evil = "\x1b[2J\x07\u202emoc\r\n" + "x" * 5000
    spec = {"requester": evil, "reason": evil, "policyName": evil, "ticket": evil, "duration": evil}
    body = cluster.request(spec=spec, decisions=[a_decision(evil, reason=evil)], approvals=evil)
    body["metadata"]["namespace"] = evil
    cluster.hold(body)

    for typed in (["list", "-A"], ["show", "inc-1"], ["approve", "inc-1", "--yes"]):
        output = curfew(*typed).output
        assert output.replace("\n", "").isprintable()
        assert "\\x1b[2J" in output
    assert max(map(len, curfew("list", "-A").output.splitlines())) < 7 * 62


def test_a_story_is_shown_with_the_next_step(cluster: Cluster) -> None:
    denied: dict[str, Any] = {
        "decisions": [a_decision(decision="Deny", reason="not now")],
        "endReason": "DeniedByApprover",
    }
    cluster.hold(cluster.request("Denied", endedAt="2026-11-23T12:30:00Z", **denied))
    output = curfew("show", "accessrequest.curfew.dev/inc-1").output

    assert f"{BOB} denied it: not now" in output
    assert "Denied (DeniedByApprover)" in output
    assert "Next: talk to the person who denied it" in output


@pytest.mark.parametrize("name", ["--all", "-x", "A", "a b", "a;b", "x" * 300, ""])
def test_a_name_that_no_object_has_never_reaches_kubectl(cluster: Cluster, name: str) -> None:
    assert curfew("show", "--", name).exit_code == 2
    assert cluster.asked == []


def test_on_a_terminal_the_widest_columns_are_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    table(["NAME", "WHY"], [["inc-1", "x" * 100], ["inc-2", "short"]])

    lines = capsys.readouterr().out.splitlines()
    assert [len(line) for line in lines] == [10, 30, 12]
    assert lines[1].endswith("x…")


# --- deciding


def test_approving_shows_what_it_gives_and_tests_what_was_shown(cluster: Cluster) -> None:
    done = curfew("approve", "inc-1", "--yes", "--reason", "on call; $(x)")

    assert done.exit_code == 0, done.output
    for told in (
        f"Who        {ALICE}",
        "What       ClusterRole payments-debug in namespace payments, under policy debug",
        "Allows     get and list pods, pods/log",
        "Risk       ExecsIntoPods: an open session continues after the end",
        "Warning    the role is not as it was",
        f"Request inc-1 is approved by {BOB}.",
    ):
        assert told in done.output
    (sent,) = [call for call in cluster.asked if "patch" in call]
    assert sent.startswith(
        "patch accessrequests.curfew.dev inc-1 --namespace=payments --subresource=status --type=json "
    )
    assert json.loads(sent.partition("--patch=")[2].rpartition(" --output")[0]) == [
        {"op": "test", "path": "/metadata/uid", "value": "u-1"},
        {"op": "test", "path": "/status/terms/digest", "value": "d"},
        {
            "op": "add",
            "path": "/status/decisions/-",
            "value": {"by": BOB, "decision": "Approve", "reason": "on call; $(x)"},
        },
    ]


def test_nobody_is_asked_without_a_terminal(cluster: Cluster) -> None:
    for typed, option in ((["approve"], "--yes"), (["deny"], "--reason"), (["revoke", "--yes"], "--reason")):
        done = curfew(*typed, "inc-1", typed="y\n")
        assert done.exit_code == 2
        assert option in done.stderr
    assert not [call for call in cluster.asked if "patch" in call]


@pytest.mark.usefixtures("at_a_terminal")
def test_at_a_terminal_people_are_asked(cluster: Cluster) -> None:
    refused = curfew("approve", "inc-1", typed="n\n")
    assert (refused.exit_code, "nothing was decided" in refused.stderr) == (1, True)
    assert not [call for call in cluster.asked if "patch" in call]

    assert curfew("deny", "inc-1", typed="not now\ny\n").exit_code == 0
    assert '"decision": "Deny", "reason": "not now"' in cluster.asked[-1]


def test_a_role_that_may_not_be_read_is_said(cluster: Cluster) -> None:
    cluster.answer("role", "")
    cluster.hold(cluster.request(terms={"digest": "d", "role": {"kind": "Role", "name": "gone"}}))

    assert "Allows     (you may not read the role, or it is gone" in curfew("approve", "inc-1", "--yes").output


@pytest.mark.parametrize(
    ("phase", "decision", "told"),
    [
        ("", "approve", "Curfew has not looked at it yet"),
        ("Active", "deny", "it is Active; revoke it instead"),
        ("Denied", "approve", "it is over: Denied"),
        ("Pending", "revoke", "it is Pending; deny it instead"),
    ],
)
def test_what_is_not_possible_now_is_not_tried(cluster: Cluster, phase: str, decision: str, told: str) -> None:
    cluster.hold(cluster.request(phase))
    done = curfew(decision, "inc-1", "--yes", "--reason", "x")

    assert done.exit_code == 1
    assert told in done.stderr
    assert "See kubectl curfew show inc-1 -n payments" in done.stderr
    assert len(cluster.asked) == 1


def test_a_request_that_is_another_by_now_is_not_decided(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.answer("refusal", "The request is invalid: the server rejected our request due to an error in our request")
    monkeypatch.setattr(deciding, "_confirm", lambda *_: cluster.hold(cluster.request(uid="u-2")))
    done = curfew("approve", "inc-1")

    assert done.exit_code == 1
    assert "nothing was decided: inc-1 is another request now, made after the one that was shown" in done.stderr
    monkeypatch.setattr(deciding, "_confirm", lambda *_: cluster.hold(cluster.request("Denied", uid="u-2")))
    assert "nothing was decided: inc-1 is Denied now" in curfew("approve", "inc-1").stderr


@pytest.mark.parametrize(
    ("allowed", "stage"),
    [((True, False), "owners"), ((False, True), "security"), ((False, False), None), ((True, True), 2)],
)
def test_the_stage_is_the_one_that_the_caller_may_approve_for(
    cluster: Cluster, allowed: tuple[bool, bool], stage: str | int | None
) -> None:
    cluster.hold(cluster.request(terms={"digest": "d", "stages": [{"name": "owners"}, {"name": "security"}]}))
    cluster.answer("may", "".join(json.dumps({"status": {"allowed": one}}, indent=4) + "\n" for one in allowed))
    done = curfew("approve", "inc-1", "--yes")

    if isinstance(stage, int):
        assert done.exit_code == stage
        assert "you may approve for owners and security; name one with --stage" in done.stderr
    else:
        assert done.exit_code == 0
        assert (f'"stage": "{stage}"' in cluster.asked[-1]) == (stage is not None)


# --- asking


def test_a_request_is_made_in_the_callers_name(cluster: Cluster) -> None:
    done = curfew("request", "debug", "--reason", "a 'b' $(c)", "--for", "90m", "--ticket", "INC-1", "--in", "payments")

    assert done.exit_code == 0, done.output
    assert cluster.created == {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"generateName": "debug-"},
        "spec": {
            "policyName": "debug",
            "requester": BOB,
            "submittedBy": BOB,
            "duration": "1h30m",
            "reason": "a 'b' $(c)",
            "ticket": "INC-1",
        },
    }
    assert cluster.asked[-1] == "create --filename=- --namespace=payments --output=json"
    assert done.output.splitlines()[1] == "Next: kubectl curfew show inc-1 -n payments"


def test_until_a_time(cluster: Cluster) -> None:
    times = ["--from", "2099-11-23T20:00Z", "--until", "2099-11-23T22:00Z"]
    assert curfew("request", "debug", "--reason", "x", *times, "--on-behalf-of", ALICE, "--name", "n").exit_code == 0

    assert cluster.created["metadata"] == {"name": "n"}
    assert cluster.created["spec"] == {
        "policyName": "debug",
        "requester": ALICE,
        "submittedBy": BOB,
        "duration": "2h",
        "reason": "x",
        "notBefore": "2099-11-23T20:00:00Z",
        "notAfter": "2099-11-23T22:00:00Z",
    }


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "POLICY is missing"),
        (["debug", "--for", "30m"], '--reason "…"'),
        (["debug", "--reason", "x"], "--for 30m, or --until"),
        (["debug", "--reason", "x", "--for", "soon"], "--for soon is not a duration"),
        (["debug", "--reason", "x", "--for", "0"], "is no time at all"),
        (["debug", "--reason", "x", "--until", "soon"], "--until soon is not a time such as 22:00"),
        (["debug", "--reason", "x", "--until", "2020-01-01T00:00Z"], "is not after the beginning"),
        (["debug", "--reason", "x", "--for", "1h", "--timeout", "3s"], "add --wait"),
        (["--role", "x;y", "debug", "--reason", "x", "--for", "1h"], "policy debug does not offer role x;y"),
    ],
)
def test_what_is_missing_or_wrong_is_named(cluster: Cluster, typed: list[str], told: str) -> None:
    done = curfew("request", *typed)

    assert done.exit_code == 2, done.output
    assert told in " ".join(done.stderr.split())
    assert not (cluster.folder / "created").exists()


@pytest.mark.usefixtures("at_a_terminal")
def test_at_a_terminal_what_is_missing_is_asked_for(cluster: Cluster) -> None:
    cluster.answer("policies", {"items": [a_policy("debug"), a_policy("two")]})
    done = curfew("request", typed="debug\ncrash loop\n\n")

    assert done.exit_code == 0, done.output
    assert cluster.created["spec"]["policyName"] == "debug"
    assert (cluster.created["spec"]["reason"], cluster.created["spec"]["duration"]) == ("crash loop", "30m")


def test_a_role_finds_its_policy(cluster: Cluster) -> None:
    role = ["--role", "payments-debug", "--reason", "x", "--for", "1h"]
    assert curfew("request", *role).exit_code == 0
    assert cluster.created["spec"]["policyName"] == "debug"

    cluster.answer("policies", {"items": [a_policy("one"), a_policy("two")]})
    several = curfew("request", *role)
    assert (several.exit_code, "one, two" in several.stderr) == (2, True)
    assert curfew("request", "--role", "none", *role[2:]).exit_code == 1


@pytest.mark.parametrize(
    ("phase", "code", "told"),
    [
        ("Active", 0, "Granted: "),
        ("Denied", 3, "Denied: nothing was granted: no"),
        ("Failed", 3, "Failed: nothing was granted: no"),
    ],
)
def test_waiting_ends_with_what_became_of_it(cluster: Cluster, phase: str, code: int, told: str) -> None:
    over = cluster.request(phase, conditions=[{"type": "Active", "message": "nothing was granted: no"}])
    watched = [cluster.request(""), cluster.request(), cluster.request(), over]
    cluster.answer("watched", "".join(json.dumps(one, indent=4) + "\n" for one in watched))
    done = curfew("request", "debug", "--reason", "x", "--for", "1h", "--wait", "--timeout", "1m")

    assert done.exit_code == code, done.output
    assert told in done.output
    assert done.output.count("Waits for 1 approval") == 1
    assert "Next: " in done.output


def test_waiting_for_somebody_elses_request_is_noticed(cluster: Cluster) -> None:
    cluster.answer("watched", cluster.request("Active", uid="u-2"))
    done = curfew("request", "debug", "--reason", "x", "--for", "1h", "--wait")

    assert (done.exit_code, "was deleted while it waited" in done.stderr) == (1, True)


def test_waiting_for_too_long_has_an_exit_code(cluster: Cluster) -> None:
    cluster.answer("watched", cluster.request())
    done = curfew("request", "debug", "--reason", "x", "--for", "1h", "--wait", "--timeout", "1ms")

    assert (done.exit_code, "it waits on" in done.output) == (4, True)


def test_a_trial_makes_nothing(cluster: Cluster) -> None:
    done = curfew("request", "debug", "--reason", "x", "--for", "1h", "--dry-run")

    assert "--dry-run=server" in cluster.asked[-1]
    assert done.output == f"The API server would accept it: {ALICE} asks for debug for 1h. Nothing was made.\n"


def test_without_kubectl_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECTL_PATH", raising=False)
    monkeypatch.setenv("PATH", os.devnull)

    assert "there is no kubectl on PATH. Install kubectl" in curfew("list").stderr


def test_the_page_names_each_command_and_exit_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "plugin.md").read_text()
    first, last = page.split("\n## Commands\n")[1].split("\n### ")[0], page.split("\n## Exit codes\n")[1]

    rows = "".join(line.split("|")[1] for line in first.splitlines() if line.startswith("| `"))
    told = list(dict.fromkeys(re.findall(r"`([a-z]+)(?: [A-Z]+)?`", rows)))
    assert told == plugin.list_commands(click.Context(plugin))
    codes = re.findall(r"^ *(?:Exit code )?(\d+): ", str(plugin.help), re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", last, re.MULTILINE)


# --- explaining, watching, completing


def answers(*allowed: bool) -> str:
    return "".join(json.dumps({"status": {"allowed": one}}, indent=4) + "\n" for one in allowed)


def test_the_policies_that_are_open_come_first(cluster: Cluster) -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}], "risk": ["ReadsSecrets"]}}
    closed, open_ = a_policy("closed"), a_policy("open", approval={"stages": [{"name": "owners", "count": 2}]})
    cluster.answer("policies", {"items": [closed | ready, open_ | ready, a_policy("unready")]})
    cluster.answer("may", answers(False, True, True))
    lines = curfew("explain", "-n", "payments").output.splitlines()

    assert [line.split()[:2] for line in lines[1:4]] == [["open", "yes"], ["closed", "no"], ["unready", "not"]]
    assert "2 of owners" in lines[1]
    assert "ReadsSecrets" in lines[1]
    assert lines[4] == "Next: kubectl curfew explain open -n payments"


def test_a_policy_is_explained_with_who_can_approve(cluster: Cluster) -> None:
    cluster.answer("policies", a_policy(ticket={"required": True, "pattern": "INC-[0-9]+"}, reason={"minLength": 10}))
    cluster.answer("may", answers(True))
    rule = {"verbs": ["approve"], "apiGroups": ["curfew.dev"], "resources": ["accesspolicies"]}
    binding = {
        "kind": "RoleBinding",
        "roleRef": {"kind": "Role", "name": "own"},
        "subjects": [{"kind": "User", "name": f"p{number:02}"} for number in range(20)],
    }
    cluster.answer("bindings", {"items": [binding, {"kind": "Role", "metadata": {"name": "own"}, "rules": [rule]}]})
    output = curfew("explain", "policy/debug").output

    for told in (
        "For you    yes, you may ask for it",
        "Allows     get and list pods, pods/log",
        "Needs      a reason of at least 10 characters",
        "a ticket of the form INC-[0-9]+",
        "1 approval, within 1h",
        "Approvers  p00, p01, p02",
        "p11 and 8 more (and you may)",
        'Next: kubectl curfew request debug -n payments --for 30m --ticket … --reason "…"',
    ):
        assert told in output


def test_without_the_right_to_read_bindings_it_says_what_it_knows(cluster: Cluster) -> None:
    cluster.answer("policies", a_policy(approval={"groups": ["sre", "dba"]}))
    cluster.answer("may", answers(False))
    output = curfew("explain", "debug").output

    assert (
        "Approvers  not you; you may not read RoleBindings here, so others cannot be named (only members of sre or dba)"
        in output
    )
    assert "Next: ask the owner of the namespace for the verb request on it." in output


def test_a_request_is_explained(cluster: Cluster) -> None:
    cluster.answer("policies", a_policy())
    cluster.answer("may", answers(True))
    assert "Approvers  you, unless you made the request; you may not read" in curfew("explain", "request/inc-1").output

    words = "spec.ticket is missing"
    refused = cluster.request("Failed", endReason="TicketMissing", conditions=[{"type": "Stalled", "message": words}])
    cluster.hold(refused)
    output = curfew("explain", "areq/inc-1").output
    assert "Why:  spec.ticket is missing" in output
    assert "Next: ask again with a --ticket" in output


def test_a_watch_prints_each_change_once(cluster: Cluster) -> None:
    over, pending = cluster.request("Denied", uid="u-0"), cluster.request()
    over["metadata"]["name"] = "old"
    active = cluster.request("Active", decisions=[a_decision()])
    events = [("ADDED", over), ("ADDED", pending), ("MODIFIED", pending), ("MODIFIED", active), ("DELETED", active)]
    events += [("BOOKMARK", {}), ("DELETED", over)]
    told = [json.dumps({"type": kind, "object": body}) + "\n" for kind, body in events]  # as kubectl writes events
    cluster.answer("watched", "".join(told))
    lines = curfew("watch", "--timeout", "0.2").output.splitlines()

    assert [re.sub(r"^\d\d:\d\d:\d\d UTC  ", "", line) for line in lines][:5] == [
        f"payments/inc-1  {ALICE} asks for debug for 1h: payment workers crash-loop",
        "payments/inc-1  Pending: waits for 1 approval",
        f"payments/inc-1  {BOB} approved it",
        f"payments/inc-1  Active: {ALICE} has ClusterRole payments-debug",
        "payments/inc-1  was deleted",
    ]


def completed(cluster: Cluster, *words: str) -> list[str]:
    program = Path(sys.executable).parent / "kubectl_complete-curfew"
    done = subprocess.run([program, *words], check=True, capture_output=True, text=True, timeout=60)  # noqa: S603  our own
    return done.stdout.splitlines()


def test_kubectl_completes_commands_and_names(cluster: Cluster) -> None:
    assert completed(cluster, "sh") == ["show\tShow the request NAME: who asks for what,...", ":4"]
    assert completed(cluster, "approve", "-n", "payments", "--user=bob", "i") == ["inc-1", ":4"]
    assert cluster.asked == ["--user=bob get accessrequests.curfew.dev --namespace=payments --output=name"]
    assert completed(cluster, "list", "--mi") == ["--mine\tOnly your own requests.", ":4"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    script = curfew("completion", shell).output

    assert "_KUBECTL_CURFEW_COMPLETE=" in script
    assert "kubectl-curfew" in script


def test_a_real_bash_completes(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(curfew("completion", "bash").output)
    typing = (
        f". {tmp_path}/script; COMP_WORDS=(kubectl-curfew ex); COMP_CWORD=1; "
        "_kubectl_curfew_completion kubectl-curfew; echo ${COMPREPLY[@]}"
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(  # noqa: S603  our own script
        ["/bin/bash", "-c", typing], capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": path}
    )
    assert done.stdout == "explain\n", done.stderr
