"""How much of what is tried again and again is tried: all in `make soak`, a share otherwise, drawn by a seed that is shown."""

import os
import random
import secrets
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

SEED_VARIABLE: Final = "CURFEW_SEED"
SOAK_VARIABLE: Final = "CURFEW_SOAK"

SHARE: Final = 10
"""One in so many is tried outside of `make soak`."""


def soaks() -> bool:
    """Tell whether everything is to be tried."""
    return os.environ.get(SOAK_VARIABLE, "") not in ("", "0")


def seed() -> int:
    """Return the seed of this run; set CURFEW_SEED to the number that a failure names to have the same again."""
    # Kept in the environment: processes that share the tests have to draw the same.
    return int(os.environ.setdefault(SEED_VARIABLE, str(secrets.randbits(32))))


def times(all_: int, one_in: int = SHARE) -> int:
    """Return how often something is done of which `all_` is everything."""
    return all_ if soaks() else max(1, all_ // one_in)


def drawn(all_: Sequence[T], made_of: str, one_in: int = SHARE) -> Sequence[T]:
    """Return what is tried of all, in its order; `made_of` names what it is for, so that not all draw the same places."""
    if soaks() or not all_:
        return all_
    chance = random.Random(f"{seed()} {made_of}")  # noqa: S311  to be had again, not secret
    places = sorted(chance.sample(range(len(all_)), times(len(all_), one_in)))
    return [all_[place] for place in places]
