"""`python -m tools.cluster`: up (Curfew in real pods) and down."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools import bucket
from tools.cluster import curfew
from tools.cluster.host import missing, require_host, try_host
from tools.cluster.image import image_archive, image_name
from tools.cluster.image import lacks as image_lacks
from tools.cluster.node import load
from tools.cluster.pods import NODES, remove_leftovers
from tools.servers.build import binary
from tools.servers.commands import bring_up, down_command
from tools.servers.errors import ServersError
from tools.servers.foreign import ExistingCluster, require_kind
from tools.servers.progress import minutes
from tools.servers.s3 import make_bucket

NEXT: Final = """\
Curfew runs in real pods, {took} after the start. Next:

    export KUBECONFIG={kubeconfig}
    export NO_PROXY={unproxied} PATH={path}:"$PATH"
    kubectl get pods -n curfew-system -o wide
    kubectl {alice} apply -f examples/request.yaml
    kubectl {bob} patch accessrequest inc-4711 -n payments --subresource=status --type=json -p '[
      {{"op": "add", "path": "/status/decisions/-",
       "value": {{"by": "bob@example.com", "decision": "Approve", "stage": "owners"}}}}]'
    kubectl {alice} auth can-i list pods -n payments
    kubectl get accessrequests -A

Stop:

    make cluster-down"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description="Curfew in real pods.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start a cluster with real pods in the background, with Curfew in it")
    up.add_argument("--base", help="image to build on (by default the one in the Dockerfile)")
    check = commands.add_parser("check", help="say whether nodes with real pods can be had here, or what is missing")
    check.add_argument("--base", help="as for up")
    commands.add_parser("down", help="stop it, and take away what a killed one has left")
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "up":
                return up_command(chosen.base)
            case "check":
                return check_command(chosen.base)
            case _:
                return down()
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1


def up_command(base: str | None) -> int:
    """Start the cluster unless it is up, install or upgrade Curfew in it, and say what to do next."""
    started = time.monotonic()
    choice = os.environ["CLUSTER"] = chosen()
    with _step("The image"):
        archive = image_archive(base)
    with _step("Servers and nodes"):
        state = bring_up()
    if state["cluster"] != choice:
        raise ServersError(f"Servers are up already, without pods (CLUSTER={state['cluster']}). Stop them: make down")
    environ: Mapping[str, str] = state["environ"]
    os.environ.update(environ)
    folder = Path(state["folder"])
    cluster = ExistingCluster(folder / "install")
    cluster.start()
    with _step("The image in the nodes"):
        _load(choice, folder, cluster, archive)
    with _step("Curfew by its chart, two replicas"):
        _make_bucket()
        found = {name: value for name, value in environ.items() if name.startswith("AWS_")}
        curfew.install(cluster, image_name(), found)
        curfew.offer(cluster)
    own = choice == "pods"
    people = {name: f"--context {name}" if own else f"--as {name}@example.com" for name in ("alice", "bob")}
    path = shlex.quote(":".join(state["path"]))
    print(
        NEXT.format(
            took=minutes(time.monotonic() - started),
            kubeconfig=shlex.quote(environ["KUBECONFIG"]),
            unproxied=environ.get("NO_PROXY", os.environ.get("NO_PROXY", "")),
            path=path,
            **people,
        )
    )
    return 0


def check_command(base: str | None) -> int:
    """Say whether it can be had here."""
    lacks = missing() or image_lacks(base)
    print(f"No real pods here: {'; '.join(lacks)}." if lacks else "Real pods can be had here.")
    return 1 if lacks else 0


def down() -> int:
    """Stop the cluster. Whatever a killed one has left on this machine goes too."""
    done = down_command()
    if not missing() and (lock := try_host()) is not None:
        with lock:
            remove_leftovers()
    return done


def chosen() -> str:
    """Return pods or kind: what CLUSTER says, or what can be had here; raise if there is neither."""
    choice = os.environ.get("CLUSTER")
    if choice not in (None, "", "pods", "kind"):
        raise ServersError(f"CLUSTER is {choice!r}; a cluster with pods is pods or kind.")
    if not choice:
        try:
            require_kind()
            choice = "kind"
        except ServersError:
            choice = "pods"
    if choice == "kind":
        require_kind()
    else:
        require_host()
    return choice


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Say how long a part took."""
    started = time.monotonic()
    yield
    print(f"{what}: {minutes(time.monotonic() - started)}", flush=True)


def _load(choice: str, folder: Path, cluster: ExistingCluster, archive: Path) -> None:
    if choice == "pods":
        nodes = [folder / "cluster" / f"node{number}" for number in range(1, NODES + 1)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: load(node, binary("ctr"), archive), nodes))
        return
    name = cluster.kubectl("config", "current-context", user="admin").stdout.strip().removeprefix("kind-")
    subprocess.run(["kind", "load", "image-archive", str(archive), f"--name={name}"], check=True)


def _make_bucket() -> None:
    client = bucket.connect()
    if curfew.BUCKET not in [one["Name"] for one in client.list_buckets()["Buckets"]]:
        make_bucket(client, curfew.BUCKET)
