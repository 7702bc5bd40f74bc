"""What the how-to pages say to type is typed after the demo, on its servers, or the page says why not."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, DOCS, LAST, blocks, pages
from tests.docs.telling import Told
from tests.support.scale import drawn

PAGES = pages()
TYPED = [PAGES[0], *drawn(PAGES[1 : -len(LAST)], "pages", 2), *drawn(PAGES[-len(LAST) :], "last pages", 2)]
"""Pages whose commands are typed in this run: how to start, and half of the others."""

MARKED = [*PAGES, DOCS / "operations.md"]
"""Pages of which each block is run, or says why not."""


def masked(text: str) -> list[str]:
    """Return the lines of a text without what differs from run to run."""
    return [re.sub(r"[0-9]+", "#", " ".join(line.split())) for line in text.splitlines()]


def test_there_is_something_to_type() -> None:
    """A typo in a fence would make the tests below say yes to nothing."""
    assert len(PAGES) >= 17
    assert sum(block.is_run for page in PAGES for block in blocks(page)) >= 40


@pytest.mark.parametrize("page", MARKED, ids=lambda page: page.stem)
def test_each_block_is_run_or_says_why_not(page: Path) -> None:
    """A reason may name the test that does the same in another way."""
    found = blocks(page)

    assert [block.text for block in found if (block.is_run and page in PAGES) is bool(block.reason)] == []
    assert len(found) == len(re.findall(r"^ *```(?:sh|shell|bash)$", page.read_text(), re.MULTILINE))
    named = [name for block in found for name in re.findall(r"tests/\S+\.py", block.reason)]
    assert [name for name in named if not (CHECKOUT / name).exists()] == []


@pytest.mark.integration
@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.stem)
def test_what_a_page_says_to_type_works(told: Told, page: Path) -> None:
    """Each block, in a shell that stops at the first failure; what is shown below a block is what it printed."""
    typed = told.type_page(page)

    assert [f"{text}\n=> {done.stdout}" for text, done in typed.items() if done.returncode != 0] == []
    for block in (block for block in blocks(page) if block.is_run):
        printed = masked(typed[block.text].stdout)
        assert [line for line in masked(block.shown) if not any(line in one for one in printed)] == [], printed


def test_each_how_to_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text()

    assert [page.stem for page in (DOCS / "how-to").glob("*.md") if f"(how-to/{page.name})" not in index] == []
