"""The threat model speaks of all promises, and every test it names is there."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "threat-model.md").read_text()
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z_0-9]+)`", PAGE)


def test_each_promise_has_its_tests() -> None:
    """A promise without a test is a wish."""
    parts = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]

    assert [part.split(" ", 1)[0] for part in parts] == [f"P{number}" for number in range(1, 13)]
    for part in parts:
        assert re.search(r"`tests/[a-z_/]+\.py::test_", part), part.splitlines()[0]


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    """Renaming a test must not leave a promise without one."""
    assert re.search(rf"def {name}\(", (CHECKOUT / file).read_text())
