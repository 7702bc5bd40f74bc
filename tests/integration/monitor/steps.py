"""The steps of scripted sessions. Each one checks that what was typed did, or did not, happen."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from curfew.api.times import parse_time
from curfew.core.activity.attribution import SEEN_LATE
from curfew.processes.monitor.feed import LATE
from tests.integration.monitor.acting import NO_ANSWER, Acting, Event
from tests.integration.monitor.script import Step

MOST_TRIES: Final = 400


class ChangedInTime(Exception):
    """A call was in time that had to be late: the session has to be played again."""


def types(words: str, *, stdin: object = None, by: str = "") -> Step:
    """Have the requester, or who is named, type something that succeeds."""

    async def step(acting: Acting) -> None:
        code, _, errors = await acting.types(words, by=by, stdin=_filled(stdin, acting))
        assert code == 0, f"kubectl {words}: {errors}"

    return step


def refused(words: str, why: str, *, stdin: object = None) -> Step:
    """Have the requester type something that is refused, or fails, with certain words."""

    async def step(acting: Acting) -> None:
        code, output, errors = await acting.types(words, stdin=stdin)
        assert code, f"kubectl {words} succeeded: {output}"
        assert why in errors, errors

    return step


def admin(words: str, *, stdin: object = None) -> Step:
    """Have an administrator type something that succeeds, beside the session."""
    return types(words, stdin=stdin, by="admin")


def is_gone(what: str) -> Step:
    """Hold that an object is not there, as an administrator sees it."""

    async def step(acting: Acting) -> None:
        code, _, errors = await acting.types(f"get {what}", by="admin")
        assert code, f"{what} is there"
        assert "NotFound" in errors, errors

    return step


def is_there(what: str) -> Step:
    """Hold that an object is there, as an administrator sees it."""
    return admin(f"get {what}")


def calls(method: str, path: str, *, code: int, body: object = None, headers: Mapping[str, str] | None = None) -> Step:
    """Have the requester make a call that kubectl does not make."""

    async def step(acting: Acting) -> None:
        status, answer = await acting.calls(method, path, body, headers)
        assert status == code, answer

    return step


def begins(words: str, what: str) -> Step:
    """Have the requester start something that goes on: a watch, or a connection by the name of its subresource.

    It has begun when the API server has written that down.
    """

    async def step(acting: Acting) -> None:
        def begun(event: Event) -> bool:
            has_begun = acting.is_own(event) and event["stage"] == "ResponseStarted"
            return has_begun and what in (event["verb"], event["objectRef"].get("subresource"))

        await acting.begins(words)
        await acting.desk.event(f"the beginning of kubectl {words}", begun)

    return step


async def hangs_up(acting: Acting) -> None:
    """Have the requester end what they started."""
    await acting.hangs_up()


async def a_moment_passes(acting: Acting) -> None:
    """Wait until use of the access counts as use after its end."""
    await asyncio.sleep(2 * SEEN_LATE.total_seconds())


def mints_token(words: str, *, by: str = "", for_: str = "token") -> Step:
    """Have somebody make a token, with which others act from then on."""

    async def step(acting: Acting) -> None:
        code, output, errors = await acting.types(f"create token {words}", by=by)
        assert code == 0, errors
        acting.knows(for_, output.strip())

    return step


def runs(pod: str) -> Step:
    """Have a pod run on a node whose kubelet lets streams begin."""

    async def step(acting: Acting) -> None:
        await asyncio.to_thread(acting.desk.node.run, pod, acting.namespace)

    return step


async def is_late(acting: Acting) -> None:
    """Create ConfigMaps with hardly any time, until one of them was made although the answer is that it failed."""
    for number in range(MOST_TRIES):
        name = f"late-{number}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        microseconds = 300 + number * 60 % 3000 * (1 + number // 50)  # each sweep goes further, for a slow machine
        code, answer = await acting.calls("POST", f"configmaps?timeout={microseconds}us", body)
        if 200 <= code < 300:
            raise ChangedInTime
        assert code == NO_ANSWER or code >= 500, answer
        found = await acting.place.people.admin.get(f"/api/v1/namespaces/{acting.namespace}/configmaps/{name}")
        if found.is_ok:
            return
    raise AssertionError("no change was made late")


def sends_again(times: int) -> Step:
    """Send what was just done in the namespace to the monitor again and again, each time in another order.

    Events that come later than `LATE` are a hole in the feed, and that would be everybody's.
    """

    async def step(acting: Acting) -> None:
        young = datetime.now(UTC) - LATE / 2

        def here(event: Event) -> bool:
            is_here = event.get("objectRef", {}).get("namespace") == acting.namespace
            return is_here and parse_time(event["stageTimestamp"]) > young

        events = await asyncio.to_thread(acting.desk.events, here)
        assert any(acting.is_own(event) for event in events)
        for _ in range(times):
            random.shuffle(events)
            assert await acting.desk.send(events) == 200

    return step


def _filled(stdin: object, acting: Acting) -> Any:
    """Return a manifest with the namespace in the place of {ns}."""
    match stdin:
        case str():
            return stdin.replace("{ns}", acting.namespace)
        case Mapping():
            return {key: _filled(value, acting) for key, value in stdin.items()}
        case list():
            return [_filled(value, acting) for value in stdin]
        case _:
            return stdin
