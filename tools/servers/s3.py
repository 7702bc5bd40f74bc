"""An S3 server with Object Lock, its data in a folder. It is on loopback, unless pods have to reach it."""

import os
import secrets
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tools.servers.build import binary
from tools.servers.pki import Authority, write_private
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports

REGION = "us-east-1"
HEALTH = "/health"

LockMode = Literal["COMPLIANCE", "GOVERNANCE"]


class S3Server:
    """A server whose keys are made for one run; its data outlive a restart."""

    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        """Start nothing yet. With an authority, the server speaks TLS, and `ca` is what its clients have to trust."""
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.host = LOOPBACK
        self._authority = authority
        self._access_key = f"curfew{secrets.token_hex(6)}"
        self._secret_key = secrets.token_urlsafe(30)
        self._port = 0
        self._server: Server | None = None
        self._client: Any = None

    @property
    def url(self) -> str:
        """Return the server's URL; it stays the same when the server is stopped and started."""
        return f"{'https' if self._authority else 'http'}://{self.host}:{self._port}"

    @property
    def servers(self) -> list[Server]:
        """Return the server, once it has been started."""
        return [self._server] if self._server else []

    def env(self) -> dict[str, str]:
        """Return the variables by which S3 clients find the server and its keys."""
        return {
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ALLOW_HTTP": "true",
        }

    def start(self) -> None:
        """Return when the server answers: at a free port first, at the same one ever after."""
        if self._server is not None and self._server.is_running:
            return
        if self._port:
            self._server = self._launch()
        else:
            self._server = on_free_ports(self._launch_on_new_port)

    def stop(self) -> None:
        """Stop the server; it may be started again. Stopping twice is harmless."""
        if self._server is not None:
            self._server.stop()

    def exchange_keys(self) -> None:
        """Take the keys away: from now on, others are good."""
        self._access_key = f"curfew{secrets.token_hex(6)}"
        self._secret_key = secrets.token_urlsafe(30)
        self._client = None
        self.restart()

    def kill(self) -> None:
        """End the server without warning, as a power cut would."""
        if self._server is not None:
            self._server.kill()

    def restart(self) -> None:
        """Stop the server and start it again at its address, with its data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End at once, and let the port go: asked to stop, the server waits ten seconds for clients that do not leave."""
        self.kill()
        give_back(self._port)

    def client(self) -> Any:
        """Return the botocore S3 client with the server's own keys; threads may share it, and making one takes long."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        # Slow to import, and only tests that look into the bucket need it.
        import botocore.session
        from botocore.config import Config

        session = botocore.session.Session()
        return session.create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            verify=str(self.ca) if self._authority else None,
            aws_access_key_id=self._access_key,
            aws_secret_access_key=self._secret_key,
            config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}),
        )

    def make_bucket(
        self,
        name: str,
        *,
        object_lock: bool = True,
        versioning: bool = True,
        retention_days: int = 1,
        mode: LockMode | None = "COMPLIANCE",
    ) -> str:
        """Make a bucket and return its name, as `make_bucket` does."""
        return make_bucket(
            self.client(),
            name,
            object_lock=object_lock,
            versioning=versioning,
            retention_days=retention_days,
            mode=mode,
        )

    def _launch_on_new_port(self) -> Server:
        self._port = free_port()
        try:
            return self._launch()
        except BaseException:
            give_back(self._port)
            self._port = 0
            raise

    def _launch(self) -> Server:
        data, versions = self.folder / "data", self.folder / "versions"
        for folder in (data, versions):
            folder.mkdir(parents=True, exist_ok=True)
        posix: list[str] = [f"--versioning-dir={versions}"]
        if not _keeps_attributes(data):
            sidecar = self.folder / "attributes"
            sidecar.mkdir(exist_ok=True)
            posix.append(f"--sidecar={sidecar}")
        tls: list[str] = []
        trusted: ssl.SSLContext | None = None
        if self._authority is not None:
            self.ca.write_bytes(self._authority.certificate)
            identity = self._authority.server("s3", [self.host])
            certificate, key = self.folder / "s3.crt", self.folder / "s3.key"
            write_private(certificate, identity.certificate)
            write_private(key, identity.key)
            tls = [f"--cert={certificate}", f"--key={key}"]
            trusted = ssl.create_default_context(cafile=self.ca)
        server = Server(
            "versitygw",
            [
                binary("versitygw"),
                *tls,
                f"--port={self.host}:{self._port}",
                f"--region={REGION}",
                f"--health={HEALTH}",
                "--keep-alive",
                "posix",
                *posix,
                str(data),
            ],
            log=self.folder / "versitygw.log",
            # By environment, not by argument: arguments are for all to see.
            environ={**clean_environ(), "ROOT_ACCESS_KEY": self._access_key, "ROOT_SECRET_KEY": self._secret_key},
        )
        try:
            server.await_ready(lambda: answers(self._port, HEALTH, trusted, self.host))
        except BaseException:
            server.stop()
            raise
        return server


def make_bucket(
    client: Any,
    name: str,
    *,
    object_lock: bool = True,
    versioning: bool = True,
    retention_days: int = 1,
    mode: LockMode | None = "COMPLIANCE",
) -> str:
    """Make a bucket and return its name; with a `mode`, its default rule locks each new version.

    Object Lock brings versioning with it. Without either, anything may be overwritten and deleted for good.
    """
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
    if versioning and not object_lock:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if object_lock and mode is not None:
        rule = {"DefaultRetention": {"Mode": mode, "Days": retention_days}}
        client.put_object_lock_configuration(
            Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
    return name


def _keeps_attributes(folder: Path) -> bool:
    """Tell whether files there can have extended attributes, in which the server keeps locks and versions."""
    if not hasattr(os, "setxattr"):
        return False
    try:
        os.setxattr(folder, "user.curfew-probe", b"1")
        os.removexattr(folder, "user.curfew-probe")
    except OSError:
        return False
    return True
