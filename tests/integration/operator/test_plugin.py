"""`kubectl curfew` on a real control plane: people ask, decide and look, and what they may not do is refused in words."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from curfew.cli.requests import deciding
from tests.integration.installed import Installed
from tests.integration.operator.place import REASON, SOON, Place
from tests.integration.operator.plugin import Plugin
from tests.support.pausing import a_moment

pytestmark = pytest.mark.usefixtures("operator")

PROGRAMS: Final = Path(sys.executable).parent
ASKING: Final = ("--reason", REASON, "--for", "10m")


def hear_ctrl_c() -> None:
    """Take Ctrl-C as a terminal would have it: what a shell starts in the background is deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def process(place: Place, program: str, *args: str) -> asyncio.subprocess.Process:
    """Start a program with the kubeconfig of the cluster, and with the plugin on PATH."""
    cluster = place.cluster.environment.cluster
    path = os.pathsep.join([str(PROGRAMS), *map(str, cluster.program_folders()), os.environ["PATH"]])
    return await asyncio.create_subprocess_exec(
        program,
        *args,
        env={**os.environ, **cluster.environ(), "PATH": path},
        stdin=asyncio.subprocess.DEVNULL,
        preexec_fn=hear_ctrl_c,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_alice_asks_and_waits_two_people_approve_and_she_gives_it_back(place: Place) -> None:
    typed = Plugin(place)
    # As kubectl runs a plugin: found on PATH, and told where kubectl is.
    asking = await process(
        place,
        "kubectl",
        "curfew",
        "request",
        "staged",
        *ASKING,
        "--name=inc-1",
        "--wait",
        "--user=alice",
        f"--namespace={place.namespace}",
    )
    try:
        async with asyncio.timeout(SOON):
            while "2 approvals (owners, security)" not in (await typed("bob", "list", "--open")).output:
                await a_moment()
        assert (await typed("alice", "approve", "inc-1", "--yes", "--stage=owners")).refused() == (
            "Error: you cannot approve a request that you made\n"
        )
        (await typed("bob", "approve", "inc-1", "--yes", "--reason", "on call")).done()
        shown = (await typed("dave", "approve", "inc-1", "--yes")).done()
        assert "What       ClusterRole view in namespace" in shown
        assert "Request inc-1 is approved by dave@example.com for stage security." in shown
        output, errors = await asyncio.wait_for(asking.communicate(), SOON)
    finally:
        if asking.returncode is None:
            asking.kill()
    assert (asking.returncode, errors) == (0, b"")
    told = output.decode()
    assert "Waits for 2 approvals (owners, security); to decide in 59 min" in told
    assert f"Granted: alice@example.com has ClusterRole view in namespace {place.namespace}. It ends in 9 min" in told

    (await typed("alice", "cancel", "inc-1", "--yes", "--reason", "done")).done()
    async with asyncio.timeout(SOON):
        while "Revoked (ReleasedByRequester)" not in (shown := (await typed("bob", "show", "inc-1")).done()):
            await a_moment()
    order = [
        "alice@example.com asked",
        "bob@example.com approved it for stage owners: on call",
        "dave@example.com approved",
    ]
    order += ["alice@example.com got ClusterRole view", "alice@example.com cancelled it: done", "Next: ask again"]
    assert [shown.find(words) for words in order] == sorted(shown.find(words) for words in order)
    assert -1 not in [shown.find(words) for words in order]


async def test_a_request_that_was_made_again_is_not_approved_by_mistake(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = place.people.alice, place.people.bob
    shown = await place.pending(alice, name="twice")
    loop = asyncio.get_running_loop()

    async def made_again() -> None:
        await shown.delete(alice)
        await place.pending(alice, name="twice", reason="something else, and much longer")

    def confirmed(*_: object) -> None:
        asyncio.run_coroutine_threadsafe(made_again(), loop).result(SOON)

    with monkeypatch.context() as patched:
        patched.setattr(deciding, "_confirm", confirmed)
        done = await Plugin(place)("bob", "approve", "twice")

    assert "nothing was decided: twice is another request now, made after the one that was shown" in done.refused()
    now = (await bob.get(f"{place.path}/twice")).done()
    assert now["metadata"]["uid"] != shown.uid
    assert now["status"]["decisions"] == []


async def test_denied_and_revoked(place: Place) -> None:
    typed = Plugin(place)
    pending, active = await asyncio.gather(place.pending(place.people.alice), place.active(place.people.alice))
    denied = (await typed("bob", "deny", pending.name, "--yes", "--reason", "not during the freeze")).done()
    assert f"Request {pending.name} is denied by bob@example.com." in denied
    # With the right to revoke, as somebody else whom the admin may impersonate.
    revoked = await typed("admin", "revoke", active.name, "--yes", "--reason", "over", "--as=dave@example.com")
    assert f"Request {active.name} is revoked by dave@example.com." in revoked.done()
    await asyncio.gather(pending.phase("Denied"), active.phase("Revoked"))

    assert "it is over: Denied (DeniedByApprover)" in (await typed("bob", "approve", pending.name, "--yes")).refused()
    assert (
        "you need the verb"
        in (await typed("carol", "deny", (await place.pending(place.people.alice)).name, "-y", "--reason=x")).refused()
    )
    listed = (await typed("carol", "list", "--as=eve")).refused()
    assert "with --as, you may not act as that person" in listed


async def test_badly_asked(place: Place) -> None:
    typed = Plugin(place)
    assert (
        "requires at least 10" in (await typed("alice", "request", "debug", "--reason", "x", "--for", "1m")).refused()
    )
    assert "you have no right to create accessrequests" in (await typed("bob", "request", "debug", *ASKING)).refused()
    behalf = await typed("alice", "request", "debug", *ASKING, "--on-behalf-of=dave@example.com")
    assert "you need the verb request-on-behalf on accesspolicies/debug" in behalf.refused()
    trial = await typed("alice", "request", "--role=view", "debug", *ASKING, "--dry-run")
    assert "The API server would accept it: alice@example.com asks for debug for 10m." in trial.done()
    assert (await typed("alice", "list")).done() == "No requests. To ask for access: kubectl curfew request\n"
    assert '"nothing" not found' in (await typed("alice", "show", "nothing")).refused()
    assert (await typed("alice", "list", "--context=nowhere")).refused().startswith("Error: ")


async def test_explained_watched_and_completed(place: Place) -> None:
    typed = Plugin(place)
    watching = await process(place, "kubectl", "curfew", "watch", "--user=bob", "-n", place.namespace)
    assert watching.stdout is not None
    try:
        await place.apply(place.policy("powerful", role="edit"))
        refused = await place.ask(place.people.alice, "powerful")
        pending = await place.pending(place.people.alice, "staged")
        lines = ""
        while "Pending: waits for 2 approvals (owners, security)" not in lines:
            lines += (line := (await asyncio.wait_for(watching.stdout.readline(), SOON)).decode())
            assert line, lines
        assert f"{place.namespace}/{pending.name}  alice@example.com asks for staged for 1m: {REASON}" in lines
    finally:
        watching.send_signal(signal.SIGINT)
        try:
            _, errors = await asyncio.wait_for(watching.communicate(), SOON)
        except TimeoutError:
            watching.kill()
            raise
    assert (watching.returncode, errors) == (130, b"Stopped.\n")
    await refused.phase("Failed")

    why = (await typed("alice", "explain", refused.name)).done()
    assert "ClusterRole edit" in why.partition("Why: ")[2]
    assert "Next: tell the owner of the policy: it offers a role with which access could be made permanent" in why
    offered = (await typed("alice", "explain")).done().splitlines()
    assert [line.split()[:2] for line in offered[1:3]] == [["automatic", "yes"], ["debug", "yes"]]
    assert "Nothing here is open to you" in (await typed("bob", "explain")).done()
    for_admin = (await typed("admin", "explain", "staged")).done()
    assert "owners: bob@example.com" in for_admin
    assert "security: dave@example.com" in for_admin
    assert "Allows     read " in for_admin
    assert "not you; you may not read RoleBindings here" in (await typed("alice", "explain", pending.name)).done()

    asked = await process(place, "kubectl", "__complete", "curfew", "show", "--user=bob", "-n", place.namespace, "")
    told, _ = await asyncio.wait_for(asked.communicate(), SOON)
    assert {pending.name, refused.name} <= set(told.decode().split())


def test_it_starts_beside_kubectl(cluster: Installed, record_property: Callable[[str, object], None]) -> None:
    """What it loads is judged in tests/unit/cli/test_plugin.py, by its modules; here is what it takes beside kubectl."""
    kubectl = cluster.environment.cluster.kubectl_path
    programs = {
        "kubectl version --client": [str(kubectl), "version", "--client"],
        **{
            f"kubectl-curfew {name} --help": [str(PROGRAMS / "kubectl-curfew"), name, "--help"]
            for name in ("list", "approve")
        },
    }
    for name, words in programs.items():
        seconds = min(processor_seconds(words) for _ in range(7))
        record_property(name, f"{seconds * 1000:.0f} ms of a processor")


def processor_seconds(words: list[str]) -> float:
    """Return how much of a processor's time a program took, whatever else the machine did."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  kubectl, or ours
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return used.ru_utime + used.ru_stime
