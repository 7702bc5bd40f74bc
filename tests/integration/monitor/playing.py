"""Playing scripted sessions, many at a time, and what was seen of each."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp

from tests.integration.monitor.acting import Acting, Desk
from tests.integration.monitor.ground import Ground
from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.steps import ChangedInTime
from tests.integration.operator.people import Person
from tests.integration.operator.place import Asked, now
from tests.integration.operator.stage import Stage

FINAL_SECONDS: Final = 90.0
SETTLED_SECONDS: Final = 60.0
"""Within which the answer follows from what came after the end: it is written every ten seconds at most."""

TRIES: Final = 5


@dataclass
class Seen:
    """What was seen of one session."""

    script: Script
    asked: Asked
    ended: datetime  # the binding was seen to be gone
    took: timedelta  # from then until the first final answer was seen
    first: Mapping[str, Any]  # the first final answer
    others: list["Seen"] = field(default_factory=list)  # other grants to the same person
    answer: Mapping[str, Any] = field(default_factory=dict)  # the answer on the request when all had been played

    def look(self) -> None:
        """Keep the answer that is there now. When the namespace goes, what was left behind in it goes as well."""
        self.answer = self.asked.status.get("activity", {})
        for other in self.others:
            other.look()


def token_of(name: str) -> str:
    """Return the token with which a person logs in."""
    return name.encode().hex()


def tokens(users: Sequence[str]) -> str:
    """Return what `--token-auth-file` wants: token, user and UID, as CSV."""
    quoted = {user: user.replace('"', '""') for user in users}
    return "".join(f'{token_of(user)},"{quoted[user]}",uid-{token_of(user)}\n' for user in users)


class Players:
    """Play scripts."""

    def __init__(self, stage: Stage, desk: Desk, session: aiohttp.ClientSession) -> None:
        """`session` is for calls that show no certificate."""
        self._stage = stage
        self._desk = desk
        self._session = session

    async def play(self, scripts: Sequence[Script]) -> dict[str, Seen | BaseException]:
        """Play all of them at the same time. Return by their titles what was seen, or what failed."""
        seen = await asyncio.gather(*map(self._play, scripts), return_exceptions=True)
        return dict(zip((script.title for script in scripts), seen, strict=True))

    async def begin(self, script: Script) -> "Session":
        """Let the access begin, and take no step yet."""
        people, sights, cluster = self._stage.people, self._stage.sights, self._stage.cluster
        user = script.requester
        roles = (script.role, *script.more_roles)
        ground = await asyncio.to_thread(
            Ground, cluster, people, sights, requester=user, roles=roles, named=script.namespace
        )
        self._stage.places.append(ground)
        token = token_of(user)
        person = Person(user, self._desk.cluster.server, self._session, {"Authorization": f"Bearer {token}"})
        acting = Acting(self._desk, ground, person, token)
        for step in script.before:
            await step(acting)
        asked = [await ground.ask(person, role, duration="10m") for role in roles]
        for one in asked:
            await one.phase("Active")
            await one.bound()
        await asyncio.to_thread(cluster.await_right, user, "list", "pods", namespace=ground.namespace)
        acting.uid = asked[0].uid
        return Session(script, acting, asked)

    async def _play(self, script: Script) -> Seen:
        for _ in range(TRIES):
            session = await self.begin(script)
            try:
                await session.take(script.steps)
            except ChangedInTime:
                continue
            finally:
                if not script.after and not script.then:
                    await session.acting.hangs_up()
            return await session.finish()
        raise AssertionError(f"{script.title}: not played in {TRIES} tries")


class Session:
    """One session that has begun."""

    def __init__(self, script: Script, acting: Acting, asked: Sequence[Asked]) -> None:
        """Take the requests, the script's own first."""
        self.script = script
        self.acting = acting
        self.asked = asked

    @property
    def is_final(self) -> bool:
        """Whether any of the answers is final."""
        return any(asked.status.get("activity", {}).get("final") for asked in self.asked)

    async def is_heard_of(self) -> None:
        """Return when the monitor has heard of the first use."""
        await self.asked[0].until(
            lambda: "firstAt" in self.asked[0].status.get("activity", {}), "use of the access", FINAL_SECONDS
        )

    async def take(self, steps: Sequence[Any]) -> None:
        """Take steps, one after another."""
        for step in steps:
            try:
                await step(self.acting)
            except AssertionError as error:
                raise AssertionError(f"{self.script.title}: {error}") from error

    async def end(self) -> list[datetime]:
        """End the access, and return when each binding was seen to be gone."""
        bob = self.acting.place.people.bob
        by, decision = (self.acting.person, "Cancel") if self.script.cancels else (bob, "Revoke")
        for asked in self.asked:
            (await asked.decide(by, decision, reason="it was used enough")).done()
        return [await asked.unbound() for asked in self.asked]

    async def finish(self) -> Seen:
        """End the access, and go on as the script has it."""
        return await self.go_on(await self.end())

    async def go_on(self, ended: Sequence[datetime]) -> Seen:
        """Take the steps that come after the end, and return what was seen."""
        try:
            await self.take(self.script.after)
            seen = [await self._final(asked, at) for asked, at in zip(self.asked, ended, strict=True)]
            await self.take(self.script.then)
            await self._settled(self.script.answer, self.asked[0])
        finally:
            await self.acting.hangs_up()
        seen[0].others = seen[1:]
        return seen[0]

    async def _final(self, asked: Asked, ended: datetime) -> Seen:
        def final() -> Mapping[str, Any] | None:
            told: Mapping[str, Any] = asked.status.get("activity", {})
            return told if told.get("final") else None

        first = await asked.until(final, "a final answer", FINAL_SECONDS)
        return Seen(self.script, asked, ended, now() - ended, first)

    async def _settled(self, answer: Answer, asked: Asked) -> None:
        """Wait until the answer is as it has to be, or no longer; the tests look at it."""
        with suppress(AssertionError):
            await asked.until(
                lambda: not answer.differs(asked.status.get("activity", {})), "the answer", SETTLED_SECONDS
            )
