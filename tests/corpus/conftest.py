"""The corpus of the first seed, made once for all of these tests."""

import gc
from collections.abc import Iterator

import pytest

from tests.corpus.generating import Corpus, generate


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_garbage() -> Iterator[None]:
    """Look for garbage seldom: all of a million objects stay, and looking at them takes a third of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 1_000)
    yield
    gc.set_threshold(*usual)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Return the corpus that may be looked at while a detector is made."""
    return generate(seed=1)
