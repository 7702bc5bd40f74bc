"""The page of `kubectl curfew ui`, served for tests: its kubectl is a script that answers from files."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from curfew.api.times import format_time
from curfew.cli.audit.both_logs import Asked
from curfew.cli.page.serving import listen, serve
from curfew.cli.page.starting import make_pages
from curfew.cli.requests.access import ClusterAccess
from tests.support.builders import ALICE, BOB, a_policy, a_request, a_role

HOSTILE: Final = "<script>hacked()</script>\"'><img src=x onerror=hacked()>\u202egnp\x1b[31m\x00&amp;{{7*7}}"
"""What somebody could write who wants to be more than text: markup, a turned direction, a terminal's command, a template."""

VIEWS: Final = (
    "",
    "?everything=1&in=*",
    "request?namespace=payments&name=inc-1",
    "policies",
    "policies?in=*",
    "policy?namespace=payments&name=debug",
    "alerts",
    "alerts?everything=1",
    "bottlenecks",
    "log",
)
"""Each view, with and without what can be chosen."""

VOID: Final = {"meta", "link", "img", "input", "br"}
"""The elements that have no end."""


def shown_request(name: str = "inc-1", phase: str = "Active", *, uid: str = "uid-1", **spec: Any) -> dict[str, Any]:
    """Return a request with a status, as kubectl shows it; one that is Active has 42 minutes left of an hour."""
    now = datetime.now(UTC)
    body = a_request(name, created=now - timedelta(minutes=20), **spec)
    body["metadata"]["uid"] = uid
    role = {"kind": "ClusterRole", "name": "payments-debug"}
    terms = {"digest": "d", "role": role, "risk": ["ExecsIntoPods"], "stages": [{"name": "owners"}], "mode": "Review"}
    body["status"] = {"phase": phase, "approvals": "0/1", "terms": terms, "decideBy": _at(now + timedelta(minutes=40))}
    if phase not in ("Pending", "Approved"):
        began = now - timedelta(minutes=18)
        body["status"] |= {"approvals": "1/1", "grantedAt": _at(began), "expiresAt": _at(began + timedelta(hours=1))}
        body["status"]["decisions"] = [{"by": BOB, "decision": "Approve", "stage": "owners", "reason": "on call"}]
    if phase not in ("Pending", "Approved", "Active"):
        body["status"] |= {"endedAt": _at(now - timedelta(minutes=1)), "endReason": "ReleasedByRequester"}
    return body


def an_event(message: str, reason: str = "RefusedDecision") -> dict[str, Any]:
    """Return an Event as the monitor reports an alert."""
    at = _at(datetime.now(UTC))
    return {"metadata": {"namespace": "payments"}, "reason": reason, "message": message, "eventTime": at}


def _at(at: datetime) -> str:
    return format_time(at)


class PageKubectl:
    """A folder with a kubectl in it, which answers each kind of call from a file and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        """Answer with two requests, two policies and an alert."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.answer("whoami", {"status": {"userInfo": {"username": BOB}}})
        self.answer("config", {"contexts": [{"name": "prod", "context": {"namespace": "payments"}}]})
        self.hold(shown_request(), shown_request("inc-2", "Pending", uid="uid-2"))
        self.offer(a_policy(), a_policy("hotfix"))
        self.answer("role", a_role())
        self.answer("bindings", {"items": []})
        self.answer("events", {"items": [an_event(f"alert 0123456789ab (High): {ALICE} tried to approve herself")]})
        self.allow(everything=True)
        self.program = folder / "kubectl"
        given, asked = shlex.quote(str(folder)), shlex.quote(str(folder / "asked"))
        self.program.write_text(
            f"""#!/bin/sh
echo "$@" >> {asked}
if test -e {given}/refusal && case "$*" in *whoami*|*config*) false ;; esac; then cat {given}/refusal >&2; exit 1; fi
case "$*" in
*whoami*) cat {given}/whoami ;;
*"config view"*) cat {given}/config ;;
*validate=false*) grep -o SelfSubjectAccessReview | while read one; do cat {given}/may; done ;;
*"get accessrequests.curfew.dev --"*|*"get accessrequests.curfew.dev") cat {given}/requests ;;
*"get accessrequests.curfew.dev "*) cat {given}/request ;;
*"get accesspolicies.curfew.dev --"*|*"get accesspolicies.curfew.dev") cat {given}/policies ;;
*"get accesspolicies.curfew.dev "*) cat {given}/policy ;;
*"get events"*) cat {given}/events ;;
*"bindings."*) cat {given}/bindings ;;
*"get clusterroles"*) cat {given}/role ;;
*) echo 'Error from server (NotFound): it is not there' >&2; exit 1 ;;
esac
"""
        )
        self.program.chmod(0o755)

    def answer(self, what: str, body: Any) -> None:
        """Set the answer to one kind of call."""
        (self.folder / what).write_text(body if isinstance(body, str) else json.dumps(body))

    def hold(self, *requests: dict[str, Any]) -> None:
        """Have these requests; the first one is shown alone."""
        self.answer("request", requests[0])
        self.answer("requests", {"items": list(requests)})

    def offer(self, *policies: dict[str, Any]) -> None:
        """Have these policies, which are ready; the first one is shown alone."""
        for place, one in enumerate(policies):
            one["metadata"]["uid"] = f"policy-{place}"
            ready = {"type": "Ready", "status": "True", "reason": "Valid", "message": "it can be used"}
            one.setdefault("status", {"conditions": [ready], "risk": ["ExecsIntoPods"]})
        self.answer("policy", policies[0])
        self.answer("policies", {"items": list(policies)})

    def allow(self, *, everything: bool) -> None:
        """Say what the caller may do."""
        self.answer("may", {"kind": "SelfSubjectAccessReview", "status": {"allowed": everything}})

    def refuse(self, complaint: str) -> None:
        """Refuse all that is asked of the cluster."""
        self.answer("refusal", complaint)

    @property
    def asked(self) -> list[str]:
        """The calls."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True, slots=True)
class Answered:
    """What the page answered."""

    status: int
    headers: Any
    text: str

    @property
    def html(self) -> "ReadHtml":
        """The text, read as HTML."""
        return ReadHtml.of(self.text)


class ServedPage:
    """A page that is served."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.split(":")[2].split("/")[0])

    @property
    def token(self) -> str:
        """The secret in its address."""
        return self.address.rsplit("/", 2)[1]

    async def get(self, view: str = "", *, method: str = "GET", **headers: str) -> Answered:
        """Ask for a view, or with a slash at its beginning for any path."""
        address = f"http://127.0.0.1:{self.port}{view}" if view.startswith("/") else self.address + view
        async with self._session.request(method, address, headers=headers, allow_redirects=False) as answer:
            return Answered(answer.status, answer.headers.copy(), await answer.text())


@asynccontextmanager
async def served(logs: Path | None = None, *, key: str | None = None, within: str = "") -> AsyncIterator[ServedPage]:
    """Serve a page. KUBECTL_PATH says which kubectl it uses; both logs, if there are any, lie in a folder."""
    asked = Asked(str(logs), "main", key, None, None, None, None) if logs is not None else None
    pages = make_pages(ClusterAccess(_kubectl()), asked)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(serve(pages, listen(0), within, ready.set_result))
    try:
        async with aiohttp.ClientSession() as session:
            yield ServedPage(await ready, session)
    finally:
        serving.cancel()
        await asyncio.wait([serving])


def _kubectl() -> Any:
    from curfew.cli.kubectl import Kubectl

    return Kubectl()


class ReadHtml(HTMLParser):
    """What a text of HTML is made of. Each element but a void one has to be ended, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.faults: list[str] = []
        self.text = ""
        self._open: list[str] = []

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a text."""
        found = cls()
        found.feed(text)
        found.close()
        found.faults += [f"{tag} is not ended" for tag in found._open]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the beginning of an element."""
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"{tag} has an attribute twice: {names}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element of SVG that is ended at once."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Take the end of an element."""
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"{tag} is ended and is not open")

    def handle_data(self, data: str) -> None:
        """Take text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for found, attributes in self.elements if found == tag]

    @property
    def addresses(self) -> Iterator[str]:
        """Yield all addresses that the page leads to or loads."""
        for _, attributes in self.elements:
            yield from (attributes[name] for name in ("href", "src", "action") if name in attributes)
