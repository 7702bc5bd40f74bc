"""What people are told during the story: a receiver on loopback stands for their Slack, their mail and their pager."""

import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from tools.demo.narration import Narrator
from tools.servers.ports import LOOPBACK, free_port

WITHIN_SECONDS: Final = 60.0
LARGEST: Final = 1024 * 1024


class Inbox:
    """Takes what the monitor sends, as long as the `with` block."""

    def __init__(self, folder: Path) -> None:
        """Nothing is received yet. The file of routes will be in this folder."""
        self.routes = folder / "routes.yaml"
        self._got: list[dict[str, str]] = []
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        """Listen, and write the routes that lead here."""
        inbox = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take a message."""
                body = self.rfile.read(min(int(self.headers["Content-Length"]), LARGEST))
                with inbox._news:
                    inbox._got.append(json.loads(body))
                    inbox._news.notify_all()
                self.send_response(HTTPStatus.NO_CONTENT)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the parent's name
                """Print nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, free_port()), Receiver)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        url = f"json://{LOOPBACK}:{self._server.server_port}/"
        routes = [
            {"name": "approvers", "events": ["RequestPending"], "namespaces": ["payments"], "urls": [url]},
            {"name": "security", "events": ["Alert"], "urls": [url]},
        ]
        self.routes.write_text(yaml.safe_dump({"routes": routes}, sort_keys=False))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def message(self, *words: str) -> dict[str, str] | None:
        """Return the first message with all these words, as soon as it is there; None if it does not come in time."""
        deadline = time.monotonic() + WITHIN_SECONDS
        with self._news:
            while True:
                told = ((one, one["title"] + one["message"]) for one in self._got)
                found = next((one for one, text in told if all(word in text for word in words)), None)
                left = deadline - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self._news.wait(left)


class Telling:
    """Parts of the story's steps. Each checks what it shows."""

    def __init__(self, inbox: Inbox, narrator: Narrator) -> None:
        """Tell nothing yet."""
        self._inbox = inbox
        self._tell = narrator

    def bob_hears(self) -> None:
        """Show the message to those who can approve."""
        self._show("Bob was not told that alice asks", "Approval needed: alice@example.com")
        self._tell.say(
            "Bob has got this message; a receiver on loopback stands for his Slack. The command can be pasted as it is, and "
            "what alice has written is only text."
        )

    def security_hears(self) -> None:
        """Show the alert about somebody who tried to approve their own request."""
        otherwise = "nobody was told that alice tried to approve her own request"
        self._show(otherwise, "RefusedDecision", "alice@example.com tried to decide")
        self._tell.say("The API server's audit events show the attempt, so it raised an alert, and security was told.")

    def _show(self, otherwise: str, *words: str) -> None:
        message = self._inbox.message(*words)
        self._tell.expect(message is not None, otherwise)
        if message is not None:
            self._tell.show([message["title"], *message["message"].splitlines()])
