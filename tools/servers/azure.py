"""Azurite: a server that speaks Azure's dialect of object storage, on loopback, its data in a folder."""

import base64
import hashlib
import hmac
import http.client
import secrets
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from tools.servers.errors import ServersError
from tools.servers.npm import azurite
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, clean_environ, on_free_ports

ACCOUNT = "curfew"
API_VERSION = "2023-11-03"


class AzureServer:
    """A server with one account, whose keys are made for one run. As with Azure, an account can have two."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet. Raise `NodeMissing` where it cannot run."""
        self._command = azurite()
        self._folder = folder
        self._keys = [secrets.token_bytes(32)]
        self._port = 0
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Start."""
        self._server = on_free_ports(self._launch_on_new_port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        if self._server is not None:
            self._server.kill()
        give_back(self._port)

    def env(self) -> dict[str, str]:
        """Return the variables by which clients find the server and its key."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(self._keys[-1]).decode(),
            "AZURE_STORAGE_ENDPOINT": f"http://{LOOPBACK}:{self._port}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }

    def add_key(self) -> None:
        """Let another key be good beside the present one; from now on, `env` names the new one."""
        self._keys = [self._keys[-1], secrets.token_bytes(32)]
        self._restart()

    def take_old_key_away(self) -> None:
        """Let only the newest key be good."""
        self._keys = self._keys[-1:]
        self._restart()

    def sas(self) -> str:
        """Return a token that allows what Curfew does for an hour (Create an account SAS)."""
        token = {
            "sv": API_VERSION,
            "ss": "b",
            "srt": "sco",
            "sp": "rwdlc",
            "se": f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        # Start, addresses and scope of encryption are not limited; the protocol is either.
        signed = "\n".join(
            [ACCOUNT, token["sp"], token["ss"], token["srt"], "", token["se"], "", "", API_VERSION, "", ""]
        )
        return urlencode({**token, "sig": self._sign(signed)})

    def make_container(self, name: str) -> str:
        """Make a container and return its name."""
        status, told = self._call("PUT", name)
        if status != http.HTTPStatus.CREATED:
            raise ServersError(f"Azurite did not make the container {name}: {told}")
        return name

    def _call(self, method: str, container: str) -> tuple[int, str]:
        """Do something to a container, signed with the account's key (Authorize with Shared Key)."""
        headers = {"x-ms-date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}", "x-ms-version": API_VERSION}
        # The method, eleven standard headers that are not sent, ours, and what is meant.
        signed = "\n".join(
            [
                method,
                *[""] * 11,
                *(f"{name}:{value}" for name, value in headers.items()),
                f"/{ACCOUNT}/{ACCOUNT}/{container}",
                "restype:container",
            ]
        )
        headers |= {"Authorization": f"SharedKey {ACCOUNT}:{self._sign(signed)}", "Content-Length": "0"}
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=10)) as connection:
            connection.request(method, f"/{ACCOUNT}/{container}?restype=container", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")

    def _sign(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._keys[-1], text.encode(), hashlib.sha256)).decode()

    def _restart(self) -> None:
        """Stop the server and start it again at its address, with its data."""
        if self._server is not None:
            self._server.stop()
            self._server = self._launch()

    def _launch_on_new_port(self) -> Server:
        self._port = free_port()
        try:
            return self._launch()
        except BaseException:
            give_back(self._port)
            raise

    def _launch(self) -> Server:
        options = [f"--blobHost={LOOPBACK}", f"--blobPort={self._port}", f"--location={self._folder}"]
        keys = ":".join(base64.b64encode(key).decode() for key in self._keys)
        server = Server(
            "azurite",
            # Newer clients than the server are no reason to refuse them.
            [*self._command, *options, "--silent", "--skipApiVersionCheck", "--disableProductStyleUrl"],
            log=self._folder / "azurite.log",
            environ={**clean_environ(), "AZURITE_ACCOUNTS": f"{ACCOUNT}:{keys}"},
        )
        try:
            server.await_ready(self._answers)
        except BaseException:
            server.stop()
            raise
        return server

    def _answers(self) -> bool:
        """Tell whether it answers at all; what was asked for is not there."""
        try:
            return self._call("HEAD", "nothing")[0] == http.HTTPStatus.NOT_FOUND
        except (OSError, http.client.HTTPException):
            return False
