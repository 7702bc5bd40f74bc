"""Playing sessions while the API server cannot deliver its events."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from tests.integration.monitor.acting import Acting, polled
from tests.integration.monitor.playing import Players, Seen, Session
from tests.integration.monitor.script import Script
from tests.support.line import Line
from tests.support.monitor_process import MonitorProcess

SECONDS: Final = 30.0


async def play_late(
    players: Players, scripts: Sequence[Script], line: Line, monitor: MonitorProcess
) -> dict[str, Seen | BaseException]:
    """Hold the events back from before the last steps until after the end. No answer is final before they are delivered."""
    sessions = await _begin(players, scripts)
    line.hold()
    try:
        ended = [await _unheard(session) for session in sessions]
        await asyncio.to_thread(line.await_held, SECONDS)
        await asyncio.to_thread(_await_behind, monitor)
        hasty = [session.script.title for session in sessions if session.is_final]
    finally:
        line.mend()
    assert hasty == [], "answered before the events were there"
    seen = await asyncio.gather(*(session.go_on(at) for session, at in zip(sessions, ended, strict=True)))
    return {one.script.title: one for one in seen}


async def play_down(
    players: Players, scripts: Sequence[Script], line: Line, server_log: Path, quiet: timedelta
) -> dict[str, Seen | BaseException]:
    """Let nobody listen until the API server has dropped what it could not deliver.

    `quiet` is how long to wait before that, so that no other session is touched by the hole.
    """
    sessions = await _begin(players, scripts)
    await asyncio.sleep(quiet.total_seconds())
    line.cut()
    try:
        for session in sessions:
            await session.take(session.script.unheard)
        for session in sessions:
            if session.script.unheard:
                await _dropped(server_log, session.acting)
    finally:
        line.mend()
    seen = await asyncio.gather(*(session.finish() for session in sessions))
    return {one.script.title: one for one in seen}


async def _begin(players: Players, scripts: Sequence[Script]) -> list[Session]:
    sessions = await asyncio.gather(*map(players.begin, scripts))
    for session in sessions:
        await session.take(session.script.steps)
    for session in sessions:
        if session.script.steps:
            await session.is_heard_of()
    return sessions


async def _unheard(session: Session) -> list[datetime]:
    await session.take(session.script.unheard)
    return await session.end()


def _await_behind(monitor: MonitorProcess) -> None:
    monitor.await_answer(lambda _, said: "is behind" in said["parts"]["coverage"], "be behind", SECONDS)


async def _dropped(server_log: Path, acting: Acting) -> None:
    """Return when the API server has given up a call of the requester's: it names each event that it drops in its log."""
    of_theirs = re.compile(rf'AUDIT: .* user="{acting.person.name}" .* namespace="{acting.namespace}"')
    await polled(lambda: of_theirs.search(server_log.read_text(errors="replace")), f"a drop in {acting.namespace}")
