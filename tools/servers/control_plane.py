"""A Kubernetes control plane of stock servers on loopback: etcd, kube-apiserver, kube-controller-manager."""

import base64
import json
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tools.servers import audit, kubeconfig
from tools.servers.build import build
from tools.servers.cluster import Cluster
from tools.servers.errors import ServersError
from tools.servers.pki import ADMIN, ADMIN_GROUP, PEOPLE, Authority, Identity, key_pair, write_private
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports, stop_all

SERVICE_NETWORK = "10.0.0.0/24"
SERVICE_ADDRESS = "10.0.0.1"
ISSUER = "https://kubernetes.default.svc"
CONTROLLER_MANAGER_USER = "system:kube-controller-manager"

# Those that make namespaces, service accounts and rights behave; nothing here runs pods.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "validatingadmissionpolicy-status-controller",
)

# As on a cluster older than 1.36: the plugin does not run, and its kinds are not served.
WITHOUT_MUTATING_ADMISSION = (
    "--disable-admission-plugins=MutatingAdmissionPolicy",
    "--runtime-config=admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false",
    "--runtime-config=admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings=false",
)

# It would hold the lease of this machine's API server, which is there already.
NO_IDENTITY = ("--feature-gates=APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",)

# Asked to stop, the API server waits for its watchers, and they do not leave. Those who take it away mean it.
APISERVER_PATIENCE_SECONDS = 2.0
ETCD_SECONDS = 10.0


class ControlPlane(Cluster):
    """A control plane of its own, with a certificate for each person and an audit log."""

    controllers: Sequence[str] = CONTROLLERS
    service_network = SERVICE_NETWORK
    service_address = SERVICE_ADDRESS

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = False,
        mutating_admission: bool = True,
        apiserver_args: Sequence[str] = (),
    ) -> None:
        """Start nothing yet. `durable` makes etcd wait for the disk, as in production."""
        super().__init__(folder)
        self._durable = durable
        self._apiserver_args = [*apiserver_args, *(() if mutating_admission else WITHOUT_MUTATING_ADMISSION)]
        self._pki = folder / "pki"
        self._ports: list[int] = []
        self._port = 0
        self._etcd_port = self._etcd_peers = 0
        self._controller_manager_port = 0
        self._etcd: Server | None = None
        self._apiserver: Server | None = None
        self._controller_manager: Server | None = None
        self._tls: ssl.SSLContext | None = None
        self._binaries: dict[str, Path] = {}

    @property
    def server(self) -> str:
        """Return the API server's URL; it stays the same when the API server is stopped and started."""
        return f"https://{self.host}:{self._port}"

    @property
    def ca(self) -> Path:
        """Return the file with the authority's certificate."""
        return self._pki / "ca.crt"

    @property
    def audit_log(self) -> Path:
        """Return the API server's audit log: audit.k8s.io/v1 events, one JSON document per line."""
        return self.folder / "audit.log"

    @property
    def servers(self) -> list[Server]:
        """Return the servers that have been started, in the order of their start."""
        return [server for server in (self._etcd, self._apiserver, self._controller_manager) if server is not None]

    def add_apiserver_args(self, more: Sequence[str]) -> None:
        """Start the API server with more flags, from its next start on."""
        self._apiserver_args += more

    def start(self) -> None:
        """Return when the API server serves and the controllers work; leave nothing behind when that fails."""
        self._binaries = build(["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"])
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pki.mkdir(mode=0o700, exist_ok=True)
        try:
            self._etcd = on_free_ports(self._start_first_etcd)
            authority = self._write_keys()
            self._apiserver = on_free_ports(lambda: self._start_first_apiserver(authority))
            self._controller_manager = on_free_ports(lambda: self._start_first_controller_manager(authority))
            self._start_others(authority)
        except BaseException:
            self.stop()
            raise

    def _start_others(self, authority: Authority) -> None:
        """Start what more a cluster has: here nothing."""

    def stop(self) -> None:
        """Stop all servers, in the order that lets each say goodbye to the next."""
        stop_all([self._controller_manager, self._apiserver, self._etcd])
        self._give_back_ports()

    def kill(self) -> None:
        """End all servers at once, for those who need none of their data."""
        for server in self.servers:
            server.kill()
        self._give_back_ports()

    def _give_back_ports(self) -> None:
        for port in self._ports:
            give_back(port)
        self._ports.clear()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def stop_apiserver(self) -> None:
        """Stop the API server only: its clients find nobody at its address."""
        if self._apiserver is not None:
            self._apiserver.stop(APISERVER_PATIENCE_SECONDS)

    def kill_apiserver(self) -> None:
        """End the API server without warning, as a power cut would."""
        if self._apiserver is not None:
            self._apiserver.kill()

    def start_apiserver(self) -> None:
        """Start the API server again at its address, with the same data."""
        if self._apiserver is not None and not self._apiserver.is_running:
            self._apiserver = self._start_apiserver()

    def restart_apiserver(self) -> None:
        """Stop the API server and start it again at its address."""
        self.stop_apiserver()
        self.start_apiserver()

    @property
    def etcd_port(self) -> int:
        """Return where etcd listens to clients."""
        return self._etcd_port

    @contextmanager
    def another_apiserver(self, etcd: str) -> Iterator[str]:
        """Run a second API server on the same data, which reaches etcd at a URL of its own, and yield its own URL."""
        port = self._new_port()
        server = on_free_ports(lambda: self._start_apiserver("another-apiserver", port, etcd, NO_IDENTITY))
        try:
            yield f"https://{LOOPBACK}:{port}"
        finally:
            server.stop(APISERVER_PATIENCE_SECONDS)

    def kill_etcd(self) -> None:
        """End etcd without warning, as a power cut would. The API server tries to reach it again and again."""
        if self._etcd is not None:
            self._etcd.kill()

    def start_etcd(self) -> None:
        """Start etcd again at its address, with the same data."""
        if self._etcd is not None and not self._etcd.is_running:
            self._etcd = self._start_etcd()

    def edit_in_etcd(self, key: str, change: Callable[[Any], Any]) -> None:
        """Change what etcd holds under a key of custom resources, past the API server and all that it checks."""
        found = self._ask_etcd("range", {"key": _base64(key.encode())})
        (held,) = found.get("kvs") or [None]
        if held is None:
            raise ServersError(f"etcd holds nothing under {key}.")
        value = json.dumps(change(json.loads(base64.b64decode(held["value"])))).encode()
        self._ask_etcd("put", {"key": _base64(key.encode()), "value": _base64(value)})

    def _ask_etcd(self, what: str, body: object) -> Any:
        call = urllib.request.Request(f"{self._etcd_url}/v3/kv/{what}", json.dumps(body).encode())  # noqa: S310  loopback
        with urllib.request.urlopen(call, timeout=ETCD_SECONDS) as answer:  # noqa: S310  the URL above
            return json.load(answer)

    def back_up_etcd(self, to: Path) -> None:
        """Copy etcd's data into a new folder. The API server waits meanwhile."""
        if self._etcd is not None:
            self._etcd.stop()
            shutil.copytree(self._etcd_data, to)
            self._etcd = self._start_etcd()

    def restore_etcd(self, backup: Path) -> None:
        """Put a copy in the place of etcd's data, with all servers stopped as the Kubernetes documentation asks for."""
        self.stop_apiserver()  # it waits longer for its watches to end than anybody needs
        stop_all([self._controller_manager, self._etcd])
        shutil.rmtree(self._etcd_data)
        shutil.copytree(backup, self._etcd_data)
        self._etcd = self._start_etcd()
        self._apiserver = self._start_apiserver()
        self._controller_manager = self._start_controller_manager()

    def _as_person(self, user: str, program: Literal["kubectl", "helm"]) -> Sequence[str]:
        return ("--context" if program == "kubectl" else "--kube-context", user)

    def _new_port(self) -> int:
        port = free_port()
        self._ports.append(port)
        return port

    def _write_keys(self) -> Authority:
        authority = Authority("curfew development control plane")
        write_private(self.ca, authority.certificate)
        private, public = key_pair()
        write_private(self._pki / "service-accounts.key", private)
        write_private(self._pki / "service-accounts.pub", public)
        names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        hosts = [LOOPBACK, *{self.host} - {LOOPBACK}, self.service_address, *names]
        self._write_identity("apiserver", authority.server("kube-apiserver", hosts))
        return authority

    def _write_identity(self, name: str, identity: Identity) -> None:
        write_private(self._pki / f"{name}.crt", identity.certificate)
        write_private(self._pki / f"{name}.key", identity.key)

    def _start_first_etcd(self) -> Server:
        self._etcd_port, self._etcd_peers = self._new_port(), self._new_port()
        return self._start_etcd()

    @property
    def _etcd_url(self) -> str:
        return f"http://{LOOPBACK}:{self._etcd_port}"

    @property
    def _etcd_data(self) -> Path:
        return self.folder / "etcd"

    def _start_etcd(self) -> Server:
        peers_url = f"http://{LOOPBACK}:{self._etcd_peers}"
        command: list[str | Path] = [
            self._binaries["etcd"],
            "--name=curfew",
            f"--data-dir={self._etcd_data}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peers_url}",
            f"--initial-advertise-peer-urls={peers_url}",
            f"--initial-cluster=curfew={peers_url}",
            "--log-level=warn",
        ]
        if not self._durable:
            command.append("--unsafe-no-fsync")
        return self._launch("etcd", command, lambda: answers(self._etcd_port, "/health"))

    def _start_first_apiserver(self, authority: Authority) -> Server:
        self._port = self._new_port()
        admin = authority.client(ADMIN, [ADMIN_GROUP])
        self._write_identity(ADMIN, admin)
        self._tls = ssl.create_default_context(cafile=str(self.ca))
        self._tls.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        people = {name: authority.client(user) for name, user in PEOPLE.items()}
        kubeconfig.write_for_people(
            self.kubeconfig,
            server=self.server,
            ca=authority.certificate,
            people={ADMIN: admin, **people},
            current=ADMIN,
        )
        return self._start_apiserver()

    def _start_apiserver(
        self, name: str = "kube-apiserver", port: int = 0, etcd: str = "", more: Sequence[str] = ()
    ) -> Server:
        port = port or self._port
        audit_log = self.audit_log if port == self._port else self.folder / f"{name}-audit.log"
        command: list[str | Path] = [
            self._binaries["kube-apiserver"],
            f"--etcd-servers={etcd or self._etcd_url}",
            f"--bind-address={self.host}",
            f"--secure-port={port}",
            # Without it the server looks for the machine's address, and there may be none but loopback.
            f"--advertise-address={self.host}",
            # Loopback is no endpoint that a Service may have.
            f"--endpoint-reconciler-type={'none' if self.host == LOOPBACK else 'lease'}",
            f"--service-cluster-ip-range={self.service_network}",
            "--authorization-mode=Node,RBAC",
            f"--cert-dir={self._pki}",
            f"--client-ca-file={self.ca}",
            f"--tls-cert-file={self._pki / 'apiserver.crt'}",
            f"--tls-private-key-file={self._pki / 'apiserver.key'}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={self._pki / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={self._pki / 'service-accounts.key'}",
            f"--audit-policy-file={audit.POLICY}",
            f"--audit-log-path={audit_log}",
            "--profiling=false",
            *self._apiserver_args,
            *more,
        ]
        return self._launch(name, command, lambda: answers(port, "/readyz", self._tls, self.host))

    def _start_first_controller_manager(self, authority: Authority) -> Server:
        self._controller_manager_port = self._new_port()
        kubeconfig.write_for_people(
            self._controller_manager_kubeconfig,
            server=self.server,
            ca=authority.certificate,
            people={"controller-manager": authority.client(CONTROLLER_MANAGER_USER)},
            current="controller-manager",
        )
        return self._start_controller_manager()

    @property
    def _controller_manager_kubeconfig(self) -> Path:
        return self._pki / "controller-manager.kubeconfig"

    def _start_controller_manager(self) -> Server:
        own_kubeconfig, port = self._controller_manager_kubeconfig, self._controller_manager_port
        command: list[str | Path] = [
            self._binaries["kube-controller-manager"],
            f"--kubeconfig={own_kubeconfig}",
            f"--authentication-kubeconfig={own_kubeconfig}",
            f"--authorization-kubeconfig={own_kubeconfig}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._pki / 'apiserver.crt'}",
            f"--tls-private-key-file={self._pki / 'apiserver.key'}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            f"--service-account-private-key-file={self._pki / 'service-accounts.key'}",
            f"--root-ca-file={self.ca}",
            f"--controllers={','.join(self.controllers)}",
            "--profiling=false",
        ]

        def works() -> bool:
            # Its health says only that it listens; the first thing it makes says that the controllers run.
            return answers(port, "/healthz", self._tls) and answers(
                self._port, "/api/v1/namespaces/default/serviceaccounts/default", self._tls, self.host
            )

        return self._launch("kube-controller-manager", command, works)

    def _launch(self, name: str, command: Sequence[str | Path], is_ready: Callable[[], bool]) -> Server:
        # Servers that live for minutes: collecting garbage less often saves a tenth of their processor time.
        environ = clean_environ(self.host) | {"GOGC": "400"}
        server = Server(name, command, log=self.folder / f"{name}.log", environ=environ)
        try:
            server.await_ready(is_ready)
        except BaseException:
            server.stop()
            raise
        return server

    def check(self) -> None:
        """Raise when a server that should run has ended."""
        for server in self.servers:
            if not server.is_running:
                raise ServersError(f"{server.name} has ended; its log is {server.log}.")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
