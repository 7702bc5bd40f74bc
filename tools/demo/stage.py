"""What the story stands on: servers, the people's contexts, a scratch folder, and the operator as a process."""

import contextlib
import json
import os
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import yaml

from tools.demo.access import Caller
from tools.installation import CHECKOUT, SYSTEM, Installation
from tools.servers.build import build
from tools.servers.environment import Environment
from tools.servers.errors import ServersError
from tools.servers.pki import ADMIN, PEOPLE, write_private
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports
from tools.servers.toolchain import last_lines

NAMESPACE: Final = "payments"
BUCKET: Final = "curfew-trail"
HEARTBEAT: Final = "10s"

TOKEN_SECONDS: Final = 24 * 3600
"""Nothing renews the operator's token, as a pod's is; it lasts as long as somebody may keep the demo up."""

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
        self._settings: dict[str, Any] = {}
        self._operator: Server | None = None
        self._port = 0
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

    def prepare_operator(self) -> None:
        """Get the settings, the key and the token that the operator's pod would have."""
        settings = self.installation.settings()
        # Places of its own, where the pod has others; and a faster pulse, because the demo is short.
        settings["audit"] |= {
            "keyFile": str(self.installation.signing_key(self.folder / "key.pem")),
            "heartbeat": HEARTBEAT,
        }
        settings["server"] = {"host": LOOPBACK, "port": 0}
        self._settings = settings
        self.installation.operator_kubeconfig(self.folder / "operator.kubeconfig", TOKEN_SECONDS)

    def start_operator(self) -> dict[str, str]:
        """Start the operator and return what its parts say when it is ready and its trail takes records."""
        self._operator = on_free_ports(self._launch_operator)
        self._stack.callback(self._operator.stop)
        said: dict[str, str] = {}

        def grants() -> bool:
            nonlocal said
            said = self._readyz()
            return said.get("trail") == "takes records"

        try:
            self._operator.await_ready(grants, seconds=30)
        except ServersError as error:
            raise ServersError(f"{error}\nIts own report: {json.dumps(said)}") from error
        return said

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
        servers = [*self.environment.servers, *([self._operator] if self._operator else [])]
        return [f"{server.name} ({server.pid})" for server in servers]

    def operator_log_end(self) -> str:
        """Return the last lines that the operator wrote, if it was started."""
        if self._operator is None or not self._operator.log.exists():
            return ""
        return f"The operator's log ends with:\n{last_lines(self._operator.log.read_text(errors='replace'))}"

    def _exports(self) -> dict[str, str]:
        return {**self.environment.environ(), "KUBECONFIG": str(self._kubeconfig), "DEMO": str(self.folder)}

    def _path(self) -> str:
        own = Path(sys.executable).parent  # python and curfew
        return ":".join(str(folder) for folder in [own, *self.environment.cluster.program_folders()])

    def _launch_operator(self) -> Server:
        self._port = free_port()
        self._settings["server"]["port"] = self._port
        config = write_private(self.folder / "config.yaml", yaml.safe_dump(self._settings).encode())
        server = Server(
            "curfew operator",
            [
                *(sys.executable, "-m", "curfew", "operator", "--config", config),
                *("--kubeconfig", self.folder / "operator.kubeconfig"),
            ],
            log=self.folder / "operator.log",
            environ=self.environ,
        )
        try:
            server.await_ready(lambda: answers(self._port, "/healthz"))
        except BaseException:
            server.stop()
            give_back(self._port)
            raise
        return server

    def _readyz(self) -> dict[str, str]:
        try:
            answer = urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/readyz", timeout=5)
        except urllib.error.HTTPError as not_ready:
            answer = not_ready
        with answer:
            parts: dict[str, str] = json.load(answer)["parts"]
            return parts

    def _require_room(self) -> None:
        """Refuse a cluster that is not ours where something stands in the way: nobody's objects are touched."""
        asked = ("get", "--ignore-not-found", "--output=name")
        there = [
            *self.installation.kubectl(*asked, "namespace", NAMESPACE, SYSTEM).stdout.split(),
            *self.installation.kubectl(
                *asked, "customresourcedefinition", "accessrequests.curfew.dev", "accesspolicies.curfew.dev"
            ).stdout.split(),
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
            ("customresourcedefinition", "accessrequests.curfew.dev", "accesspolicies.curfew.dev"),
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
