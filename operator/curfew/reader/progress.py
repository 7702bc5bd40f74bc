"""How far a long reading is: counted for the caller, who may show it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, str], AbstractContextManager[Callable[[], None]]]
"""A function that takes a number of things and their name, and returns a context with a function to report one done."""


@contextmanager
def silent(_total: int, _things: str) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None
