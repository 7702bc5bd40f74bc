"""A server that speaks Google's dialect of object storage, on loopback, its data in memory."""

import http.client
import json
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from tools.servers.build import binary
from tools.servers.errors import ServersError
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports

CONDITION = "x-goog-if-generation-match"
NOT_PASSED_ON = frozenset({"connection", "content-length", "host", "transfer-encoding"})


class GcsServer:
    """A server without accounts or locks. Clients speak to it through a door that translates one header."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet; the log is written to `folder`.

        Nobody is asked for credentials, so `authorizations` lists what each request had for that, oldest first.
        """
        self.authorizations: list[str] = []
        self._folder = folder
        self._port = 0
        self._server: Server | None = None
        self._door: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        """Start."""
        self._server = on_free_ports(self._launch)
        self._door = ThreadingHTTPServer((LOOPBACK, 0), _door_to(self._port, self.authorizations))
        threading.Thread(target=self._door.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        if self._door is not None:
            self._door.shutdown()
            self._door.server_close()
        if self._server is not None:
            self._server.kill()
        give_back(self._port)

    def env(self) -> dict[str, str]:
        """Return the variables by which clients find the server."""
        if self._door is None:
            raise ServersError("fake-gcs-server was not started.")
        return {
            "GOOGLE_BASE_URL": f"http://{LOOPBACK}:{self._door.server_port}",
            "GOOGLE_BEARER_TOKEN": "any",
            "GOOGLE_ALLOW_HTTP": "true",
        }

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its name."""
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=10)) as connection:
            connection.request(
                "POST", "/storage/v1/b", json.dumps({"name": name}), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise ServersError(f"fake-gcs-server did not make the bucket {name}: {answer.read().decode()}")
        return name

    def _launch(self) -> Server:
        self._port = free_port()
        address = f"{LOOPBACK}:{self._port}"
        command: list[str | Path] = [
            *(binary("fake-gcs-server"), "-scheme=http", f"-host={LOOPBACK}", f"-port={self._port}"),
            *("-backend=memory", f"-public-host={address}", f"-external-url=http://{address}", "-log-level=error"),
        ]
        server = Server("fake-gcs-server", command, log=self._folder / "fake-gcs-server.log", environ=clean_environ())
        try:
            server.await_ready(lambda: answers(self._port, "/storage/v1/b?project=p"))
        except BaseException:
            server.stop()
            give_back(self._port)
            raise
        return server


def _door_to(port: int, authorizations: list[str]) -> type[BaseHTTPRequestHandler]:
    """Return what passes requests on, and puts a PUT of the XML API into the words of the JSON API.

    Both are Google's. This server keeps the condition of an upload only in the second.
    """

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            method, path = self.command, self.path
            authorizations.append(self.headers.get("Authorization", ""))
            if method == "PUT":
                method, path = "POST", _as_upload(path, self.headers.get(CONDITION))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=10)) as connection:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                told = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    self.send_header(name, value)
            if self.command == "PUT" and answer.status == http.HTTPStatus.OK:
                self.send_header("ETag", json.loads(told)["etag"])
            self.send_header("Content-Length", str(len(told)))
            with suppress(ConnectionError):  # a client may have hung up: some tests do not wait
                self.end_headers()
                self.wfile.write(told)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815  the names that the class looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Door


def _as_upload(path: str, generation: str | None) -> str:
    """Return the JSON API's address for storing the object at /BUCKET/NAME, if it has that generation (0: none is there)."""
    bucket, _, name = urlsplit(path).path.lstrip("/").partition("/")
    condition = f"&ifGenerationMatch={generation}" if generation is not None else ""
    return f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(unquote(name), safe='')}{condition}"
