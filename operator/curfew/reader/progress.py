"""How far a long reading is: counted for the caller, who may show it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, str], AbstractContextManager[Callable[[], None]]]
"""Given how many things there are and what they are called, returns a context in which a call reports one of them done."""


@contextmanager
def silent(_total: int, _things: str) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None
