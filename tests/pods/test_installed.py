"""What helm has installed runs as its pods say, and alice's access begins and ends on time (P1, P2, P3)."""

import json
from collections.abc import Callable
from datetime import timedelta

from curfew.api.times import parse_time
from tests.pods.ground import ON_TIME, Ground, is_ready, name_of, now, until
from tools.installation import SYSTEM

Measured = Callable[[str, timedelta], None]


def test_two_replicas_are_ready_on_two_nodes(ground: Ground) -> None:
    pods = ground.await_replicas()

    assert {pod["spec"]["nodeName"] for pod in pods} == {"node1", "node2"}
    assert [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods] == [0, 0]


def test_access_is_there_after_the_approval_and_ends_on_time(ground: Ground, measured: Measured) -> None:
    assert not ground.may_list_pods()

    name = ground.grant()
    ended = ground.watch_the_end(name)

    measured("access was gone after its end, at most", ended.late)
    assert ended.refused > ended.promised - timedelta(seconds=1)
    assert ended.late < ON_TIME
    assert ground.story_of(name)[-2:] == ["grant.expired", "request.closed"]
    ground.verify()


def test_pods_run_as_a_restricted_namespace_demands(ground: Ground) -> None:
    labels = ground.get(f"/api/v1/namespaces/{SYSTEM}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = ground.leader()

    asked = ground.kubectl(
        *("exec", pod, "--namespace", SYSTEM, "--", "python3", "-c"),
        "import os, json\n"
        "def refused(path):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as error: return error.strerror\n"
        "status = dict(line.split(':', 1) for line in open('/proc/1/status') if ':' in line)\n"
        "print(json.dumps([os.getuid(), refused('/x'), refused('/opt/curfew/x'), status['CapEff'].strip(), "
        "status['NoNewPrivs'].strip(), status['Seccomp'].strip()]))",
    )

    read_only = "Read-only file system"
    assert json.loads(asked) == [65532, read_only, read_only, "0" * 16, "1", "2"]


def test_the_sweeper_runs_to_its_end_each_minute(ground: Ground) -> None:
    path = f"/apis/batch/v1/namespaces/{SYSTEM}/cronjobs/curfew-sweeper"

    until(lambda: "lastSuccessfulTime" in ground.get(path)["status"], "that a sweeper has run to its end")


def test_a_new_pod_is_soon_ready_and_needs_little(
    ground: Ground, measured: Measured, record_property: Callable[[str, object], None]
) -> None:
    before = {name_of(pod) for pod in ground.await_replicas()}
    gone = next(name for name in before if name != ground.leader())

    ground.kubectl("delete", "pod", gone, "--namespace", SYSTEM, "--wait=false")
    until(lambda: any(name_of(pod) not in before and is_ready(pod) for pod in ground.pods()), "that a new pod is Ready")

    at = now()
    new = next(pod for pod in ground.pods() if name_of(pod) not in before)
    started = parse_time(new["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
    # Kubernetes tells whole seconds, so it was up to a second less.
    measured("a pod was Ready after its container had started, at most", at - started)
    for pod in ground.await_replicas():
        group = "/sys/fs/cgroup/memory/memory.usage_in_bytes"
        used = int(ground.kubectl("exec", name_of(pod), "--namespace", SYSTEM, "--", "cat", group))
        does = "leads" if name_of(pod) == ground.leader() else "stands by"
        record_property(f"memory of a pod that {does}", f"{used / 1e6:.0f} MB")
