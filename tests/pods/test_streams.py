"""An exec into a real pod that is open at the end of the grant is cut where the policy says so, and only there."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import pytest

from tests.pods.ground import NAMESPACE, PATIENCE_SECONDS, Ground, now, until
from tests.pods.hearing import let_the_monitor_hear
from tools.cluster.image import image_name

SHELL: Final = "payments-shell"
"""The role that may exec, and the policy that cuts at the end; the policy `payments-shell-report` only reports."""

REPORTS: Final = f"{SHELL}-report"
RBAC: Final = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def hearing(ground: Ground) -> Ground:
    """Return the ground with a monitor that hears everything, and the policies."""
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": SHELL},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
        ],
    }
    ground.apply(role)
    let_the_monitor_hear(ground, "--set", f"roles={{payments-debug,{SHELL}}}")
    asking = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": "shell-ask", "namespace": NAMESPACE},
        "rules": [
            {
                "apiGroups": ["curfew.dev"],
                "resources": ["accesspolicies"],
                "resourceNames": [SHELL, REPORTS],
                "verbs": ["request"],
            }
        ],
    }
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "shell-ask", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "shell-ask"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "alice@example.com"}],
    }
    ground.apply(asking, binding, policy(SHELL, "DeletePods"), policy(REPORTS, "Report"))
    return ground


def policy(name: str, on_end: str) -> dict[str, object]:
    """Return a policy that gives a shell at once."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "roleRef": {"kind": "ClusterRole", "name": SHELL},
            "maxDuration": "1h",
            "reason": {"minLength": 10},
            "approval": {"mode": "Automatic"},
            "allowPermanence": True,
            "onEnd": on_end,
        },
    }


def run_pod(ground: Ground, name: str) -> None:
    """Start a pod that does nothing, and return when it is Ready."""
    ground.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": image_name(), "command": ["sleep", "infinity"]}],
            },
        }
    )
    ground.kubectl("wait", "pod", name, f"--namespace={NAMESPACE}", "--for=condition=Ready", "--timeout=60s")


@contextmanager
def a_shell(ground: Ground, pod: str) -> Iterator["subprocess.Popen[str]"]:
    """Open a shell in a pod as alice, and keep it open; it answers."""
    cluster = ground.cluster
    command = [str(cluster.kubectl_path), "--context=alice", "exec", "-i", pod, f"--namespace={NAMESPACE}", "--", "sh"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(cluster.environ())) as shell:  # noqa: S603
        try:
            assert answers(shell)
            yield shell
        finally:
            shell.kill()


def answers(shell: "subprocess.Popen[str]") -> bool:
    """Tell whether the shell does what it is told."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("echo here\n")
    shell.stdin.flush()
    return shell.stdout.readline() == "here\n"


def test_an_open_exec_is_cut_by_deleting_its_pod(hearing: Ground, measured: Callable[[str, timedelta], None]) -> None:
    run_pod(hearing, "worker")
    name = hearing.grant(SHELL, needs_approval=False)

    with a_shell(hearing, "worker") as shell:
        end = hearing.end_of(name)
        time.sleep(max((end - now()).total_seconds() - 5, 0))
        assert answers(shell)
        shell.wait(PATIENCE_SECONDS)
        cut = now()

    measured("the exec was cut after the end", cut - end)
    assert cut > end
    until(lambda: not hearing.pods("", NAMESPACE), "that the pod is gone")
    hearing.story_of(name)


def test_a_policy_that_only_reports_leaves_an_open_exec(hearing: Ground) -> None:
    run_pod(hearing, "other")
    name = hearing.grant(REPORTS, needs_approval=False)

    with a_shell(hearing, "other") as shell:
        ended = hearing.watch_the_end(name)
        assert ended.refused
        hearing.story_of(name)
        assert answers(shell)
    assert [pod["metadata"]["name"] for pod in hearing.pods("", NAMESPACE)] == ["other"]
    hearing.kubectl("delete", "pod", "other", f"--namespace={NAMESPACE}")
