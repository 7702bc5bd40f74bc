"""Whether Curfew works after an installation: what `helm test` looks at."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

PAUSE_SECONDS = 2.0
"""Between two looks, while something is not as it should be yet."""


LEADERS_PART = "enforcement"
"""What only the operator that leads knows: whether the admission policies are in force."""

_ASKED = 20  # operators that are asked in one look: a Service answers with any of them


class Installation(Protocol):
    """What can be looked at. Each call has a deadline; `Unseen` if it cannot be looked at."""

    async def missing_kinds(self) -> list[str]:
        """Return the definitions that the API server does not serve."""
        ...

    async def replicas(self) -> tuple[int, int]:
        """Return how many operators are ready, and how many are to be."""
        ...

    async def readiness(self) -> tuple[bool, Mapping[str, str]]:
        """Return whether an operator can do all its work, and the state of each of its parts."""
        ...


class Unseen(Exception):
    """Something could not be looked at. `str(error)` is a sentence for people."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What was looked at, whether it is as it should be, and how it is."""

    what: str
    is_good: bool
    how: str


async def look(installation: Installation) -> list[LookedAt]:
    """Look at everything once."""
    return [
        await _seen("kinds", _kinds(installation)),
        await _seen("operators", _operators(installation)),
        await _seen("work", _work(installation)),
    ]


async def look_until_good(installation: Installation, seconds: float, say: Callable[[str], None]) -> bool:
    """Look until everything is as it should be, or for so many seconds; say what was seen last. Return whether it was good."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        findings = await look(installation)
        is_good = all(each.is_good for each in findings)
        if is_good or loop.time() >= end:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    for each in findings:
        say(f"{'ok   ' if each.is_good else 'WRONG'} {each.what}: {each.how}")
    return is_good


async def _seen(what: str, looking: Awaitable[tuple[bool, str]]) -> LookedAt:
    try:
        is_good, how = await looking
    except Unseen as error:
        is_good, how = False, str(error)
    return LookedAt(what, is_good, how)


async def _kinds(installation: Installation) -> tuple[bool, str]:
    if missing := await installation.missing_kinds():
        return (
            False,
            f"the API server does not serve {', '.join(missing)}; apply the files in crds/ or upgrade the release",
        )
    return True, "all definitions are served"


async def _operators(installation: Installation) -> tuple[bool, str]:
    ready, wanted = await installation.replicas()
    return ready >= wanted > 0, f"{ready} of {wanted} are ready"


async def _work(installation: Installation) -> tuple[bool, str]:
    for _ in range(_ASKED):
        is_ready, parts = await installation.readiness()
        if not is_ready or LEADERS_PART in parts:
            break
    else:
        return False, "no operator that leads has answered: it knows whether the admission policies are in force"
    lines = "".join(f"\n        {part}: {state}" for part, state in parts.items())
    return is_ready, f"an operator {'can' if is_ready else 'cannot'} do all its work{lines}"
