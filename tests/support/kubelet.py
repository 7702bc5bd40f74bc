"""A node's kubelet as far as the API server looks at it: it agrees to every upgrade, and answers every other question.

With it, exec, attach and port-forward begin for real on a control plane without nodes: their audit events have code 101.
"""

import http.client
import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from tools.servers.pki import Authority, write_private
from tools.servers.ports import LOOPBACK

_LOOK_SECONDS: Final = 0.05
_UPGRADED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Stream-Protocol-Version: %s\r\n\r\n"
)
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


class Kubelet:
    """A kubelet on a free port of loopback. Its streams stay open until their caller has gone, or they are cut."""

    def __init__(self, folder: Path) -> None:
        """Make its certificate. The API server checks none unless it has an authority for kubelets."""
        identity = Authority("kubelet").server("kubelet", [LOOPBACK])
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(
            write_private(folder / "kubelet.crt", identity.certificate),
            write_private(folder / "kubelet.key", identity.key),
        )
        self._server = _Server(tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_LOOK_SECONDS,))
        self.port: int = self._server.server_address[1]

    def cut(self, namespace: str, pod: str) -> None:
        """Hang up on each stream into a pod."""
        self._server.cut(f"/{namespace}/{pod}/")

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Cut all streams, and stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.cut("")
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.tls = tls
        self._open: dict[socket.socket, str] = {}
        self._lock = threading.Lock()

    def opened(self, connection: socket.socket, path: str) -> None:
        with self._lock:
            self._open[connection] = path

    def ended(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def cut(self, part: str) -> None:
        with self._lock:
            for connection, path in self._open.items():
                if part in f"{path}/":
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Let callers leave as they like."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with self.server.tls.wrap_socket(self.request, server_side=True) as connection:
            asked = connection.makefile("rb")
            path = urlsplit(asked.readline(65536).split(b" ")[1].decode()).path
            headers = http.client.parse_headers(asked)
            if "Upgrade" not in headers:
                connection.sendall(_ANSWER)
                return
            # Known before the answer, so that a stream that has begun can be cut.
            self.server.opened(connection, path)
            try:
                protocol = headers.get("X-Stream-Protocol-Version", "v4.channel.k8s.io")
                connection.sendall(_UPGRADED % (headers["Upgrade"].encode(), protocol.encode()))
                while asked.read1(1024):  # until the caller has gone or the stream is cut
                    pass
            finally:
                self.server.ended(connection)
