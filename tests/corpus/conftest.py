"""The corpus of the first seed, made once for all of these tests."""

import pytest

from tests.corpus.generating import Corpus, generate


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Return the corpus that may be looked at while a detector is made."""
    return generate(seed=1)
