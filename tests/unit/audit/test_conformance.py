"""Whatever is in the catalogue is emitted by the code, shown on real servers, and documented; and nothing else is.

That the documents have each event is in test_docs.py.
"""

import ast
from pathlib import Path

import pytest

from curfew.audit.events import EVENTS
from tests.integration.emitting import SHOWN_BY

CHECKOUT = Path(__file__).parents[3]
PACKAGE = CHECKOUT / "operator" / "curfew"
TESTS = CHECKOUT / "tests" / "integration"
WORDS = {path: path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "events.py"}


def emitted() -> set[str]:
    """Return the names of events that stand, as values, in a module which makes records."""
    return {
        node.value
        for text in WORDS.values()
        if "make_record(" in text or "OneRecord(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in EVENTS
    }


def test_every_event_has_an_emitter() -> None:
    assert emitted() == set(EVENTS)


def test_every_event_is_shown_on_real_servers() -> None:
    assert set(SHOWN_BY) == set(EVENTS)


@pytest.mark.parametrize("shown_by", sorted(set(SHOWN_BY.values())))
def test_the_test_that_shows_it_is_there(shown_by: str) -> None:
    file, _, name = shown_by.partition("::")

    functions = ast.walk(ast.parse((TESTS / file).read_text()))
    assert name in [node.name for node in functions if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
