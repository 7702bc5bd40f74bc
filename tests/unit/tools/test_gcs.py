"""A PUT as Google's clients send it reaches the server in the words in which that keeps its condition."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools.servers.gcs import CONDITION, _as_upload, _door_to
from tools.servers.ports import LOOPBACK


@pytest.mark.parametrize(
    ("path", "generation", "upload"),
    [
        ("/b/a%2Fb%3D1", "0", "/upload/storage/v1/b/b/o?uploadType=media&name=a%2Fb%3D1&ifGenerationMatch=0"),
        ("/b/a/b", None, "/upload/storage/v1/b/b/o?uploadType=media&name=a%2Fb"),
    ],
)
def test_an_object_is_stored_under_its_name_if_it_has_that_generation(
    path: str, generation: str | None, upload: str
) -> None:
    assert _as_upload(path, generation) == upload


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve in a thread, at the port that is yielded."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_asked_is_passed_on_and_so_is_the_answer() -> None:
    asked: list[tuple[str, str, bytes]] = []

    class Stored(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.command, self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            body = b'{"etag": "7"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with (
        serving(Stored) as port,
        serving(_door_to(port, [])) as door,
        closing(http.client.HTTPConnection(LOOPBACK, door)) as client,
    ):
        client.request("PUT", "/trail/a%2Fb", b"body", {CONDITION: "0"})
        answer = client.getresponse()
        told = answer.read()

    upload = "/upload/storage/v1/b/trail/o?uploadType=media&name=a%2Fb&ifGenerationMatch=0"
    assert asked == [("POST", upload, b"body")]
    assert (answer.status, answer.headers["ETag"], told) == (200, "7", b'{"etag": "7"}')
