"""What the story stands on: servers, the people's contexts, a scratch folder, the operator and the monitor as processes."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import yaml

from tools.demo.access import Caller
from tools.demo.telling import Inbox
from tools.installation import CHECKOUT, KINDS, SYSTEM, Installation
from tools.running import CurfewProcess, a_monitor, an_operator
from tools.servers.audit import AuditFeed
from tools.servers.build import build
from tools.servers.environment import Environment
from tools.servers.errors import ServersError
from tools.servers.folders import cache_folder
from tools.servers.pki import ADMIN, PEOPLE, write_private
from tools.servers.processes import clean_environ

NAMESPACE: Final = "payments"
BUCKET: Final = "curfew-trail"
HEARTBEAT: Final = "10s"

Store = Literal["s3", "file"]


def available_store(wanted: Store) -> tuple[Store, str]:
    """Return where the trail can be kept, and why it is not an S3 server where it should have been one."""
    if wanted == "s3":
        try:
            build(["versitygw"])
        except ServersError as error:
            return "file", str(error)
    return wanted, ""


class Stage:
    """Everything that runs during the demo; at the end of the `with` block nothing of it does."""

    def __init__(self, store: Store) -> None:
        """Start nothing yet."""
        self.store: Store = store
        self.environment = Environment(bucket_server=store == "s3")
        self.installation = Installation(self.environment)
        self.folder = self.environment.folder / "demo"
        self._kubeconfig = self.environment.cluster.kubeconfig
        # The chart refuses a monitor that cannot read the trail, and only a control plane of ours sends its audit events.
        is_heard = store == "s3" and self.environment.choice == "local"
        self.feed = AuditFeed(self.environment.folder / "feed") if is_heard else None
        self.inbox = Inbox(self.folder)
        self._running: list[CurfewProcess] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End everything, in reverse."""
        self._stack.close()

    @property
    def url(self) -> str:
        """Return where the trail is."""
        return f"s3://{BUCKET}/main" if self.store == "s3" else f"file://{self.folder}/trail"

    @property
    def env_file(self) -> Path:
        """Return the file that puts a reader's shell where the demo is."""
        return self.folder / "env"

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the variables for the commands of the story."""
        # The user's own credentials and profiles must not get near it.
        plain = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        return {**plain, **self._exports(), "PATH": f"{self._path()}:{os.environ.get('PATH', '')}"}

    def start_servers(self) -> None:
        """Start the servers, and make everybody a context in one kubeconfig."""
        self._stack.callback(self.environment.stop)
        if self.feed is not None:
            self._stack.callback(self.feed.close)
            self.environment.control_plane.add_apiserver_args(self.feed.apiserver_args)
        self.environment.start()
        self.folder.mkdir(mode=0o700)
        if self.environment.choice != "local":
            self._kubeconfig = write_impersonating(self._kubeconfig, self.folder / "kubeconfig")
            self._require_room()
            self._stack.callback(self._clean)
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self._exports().items()]
        lines.append(f'export PATH={shlex.quote(self._path())}:"$PATH"')
        lines.append(f"cd {shlex.quote(str(CHECKOUT))}")
        write_private(self.env_file, "\n".join([*lines, ""]).encode())

    @property
    def has_monitor(self) -> bool:
        """Whether a monitor can be shown."""
        return self.feed is not None

    def start_operator(self) -> dict[str, str]:
        """Start the operator and return what its parts report when it is ready and its trail takes records."""
        # A faster pulse than the chart's, because the demo is short.
        self._run(an_operator(self.installation, self.folder, self.environ, heartbeat=HEARTBEAT))
        return self._running[-1].await_part("trail", "takes records")

    def start_monitor(self) -> dict[str, str]:
        """Start the monitor and return what its parts report when it has seen that it hears everything."""
        if self.feed is None:
            raise ServersError("There is no way from this API server to a monitor.")
        self._stack.enter_context(self.inbox)
        monitor = a_monitor(
            self.installation, self.feed, self.folder, self.environ, routes=self.inbox.routes, heartbeat=HEARTBEAT
        )
        self._run(monitor)
        return self._running[-1].await_part("coverage", "the feed of audit events is whole")

    def _run(self, process: CurfewProcess) -> None:
        self._running.append(process)
        self._stack.callback(process.stop)
        process.start()

    def caller(self, context: str) -> Caller:
        """Return somebody who can call the API server."""
        log = self.folder / f"proxy-{context}.log"
        return self._stack.enter_context(Caller(self.environment, context, self._exports(), log))

    def segments(self) -> Iterator[tuple[str, bytes]]:
        """Yield the segments of the trail, by name; what else lies in the bucket is none."""
        if self.store == "file":
            root = self.folder / "trail"
            for path in sorted(root.rglob("*.zst")):
                yield str(path.relative_to(root)), path.read_bytes()
            return
        client = self.environment.s3.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="main/v1/"):
            for one in page.get("Contents", []):
                body = client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
                yield str(one["Key"]).removeprefix("main/"), body

    def processes(self) -> list[str]:
        """Return what runs, each with its process id."""
        return [f"{server.name} ({server.pid})" for server in self.environment.servers]

    def log_ends(self) -> str:
        """Return the last lines that the operator and the monitor wrote, as far as they were started."""
        return "\n".join(process.log_end() for process in self._running)

    def _exports(self) -> dict[str, str]:
        return {
            **self.environment.environ(),
            "KUBECONFIG": str(self._kubeconfig),
            "DEMO": str(self.folder),
            # What curfew keeps of the logs goes with the folder; what the tools have built stays where it is.
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "CURFEW_CACHE": str(cache_folder()),
        }

    def _path(self) -> str:
        own = Path(sys.executable).parent  # python and curfew
        return ":".join(str(folder) for folder in [own, *self.environment.cluster.program_folders()])

    def _require_room(self) -> None:
        """Refuse a cluster that is not ours where something stands in the way: nobody's objects are touched."""
        asked = ("get", "--ignore-not-found", "--output=name")
        there = [
            *self.installation.kubectl(*asked, "namespace", NAMESPACE, SYSTEM).stdout.split(),
            *self.installation.kubectl(*asked, "customresourcedefinition", *KINDS).stdout.split(),
        ]
        if there:
            raise ServersError(
                f"The cluster has {', '.join(there)} already, and the demo would make them and take them away. Use another "
                "cluster, or leave CLUSTER unset for a control plane of its own."
            )

    def _clean(self) -> None:
        """Take away what the demo has made in a cluster that is not ours."""
        print("Taking away what the demo has made in the cluster...", flush=True)
        self.installation.uninstall()
        for kind, *found in (
            ("namespace", NAMESPACE, SYSTEM),
            ("clusterrole", "payments-debug"),
            ("customresourcedefinition", *KINDS),
        ):
            self.installation.kubectl("delete", kind, *found, "--ignore-not-found", "--timeout=60s", check=False)


def write_impersonating(source: Path, target: Path) -> Path:
    """Write a kubeconfig in which the user of `source` can speak for each person, in a context of that name."""
    config: dict[str, Any] = yaml.safe_load(source.read_text())
    by_name = {context["name"]: context["context"] for context in config["contexts"]}
    current = by_name[config["current-context"]]
    user = next(entry["user"] for entry in config["users"] if entry["name"] == current["user"])
    everybody = {ADMIN: user, **{name: {**user, "as": seen} for name, seen in PEOPLE.items()}}
    config["users"] = [{"name": name, "user": entry} for name, entry in everybody.items()]
    config["contexts"] = [{"name": name, "context": {**current, "user": name}} for name in everybody]
    config["current-context"] = ADMIN
    return write_private(target, yaml.safe_dump(config).encode())
