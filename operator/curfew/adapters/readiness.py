"""What an operator answers when it is asked whether it is ready."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024


class NoAnswer(Exception):
    """Nobody answered, or not as Curfew does. `str(error)` is part of a sentence for people."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an operator can do all its work, and the state of each part in words for people."""

    is_ready: bool
    parts: Mapping[str, str]


async def read_readiness(url: str) -> Readiness:
    """Ask /readyz. Raise `NoAnswer`."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.get(url) as response,
        ):
            said = json.loads(await response.content.read(_MOST_BYTES))
            return Readiness(said["ready"] is True, {str(part): str(state) for part, state in said["parts"].items()})
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoAnswer(str(error) or "it took too long") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnswer("the answer is not Curfew's") from error
