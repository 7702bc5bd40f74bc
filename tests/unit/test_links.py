"""Each link of a page to a file or a heading leads somewhere, and the contents lead to each page. No generator is needed."""

import re
from pathlib import Path
from typing import Final

import pytest

from tools.site import dead_links, navigation

CHECKOUT: Final = Path(__file__).parents[2]
DOCS: Final = CHECKOUT / "docs"
PAGES: Final = sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")])


def without_code(text: str) -> str:
    """Return a page without its blocks of code, in which nothing is a heading or a link."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """Return the names under which a page's headings can be linked to, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    words = [re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", heading) for heading in found]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in words}


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files that a page links to, each with the heading, but for the web."""
    targets = re.findall(r"\]\(\s*([^)\s]+)\)", without_code(page.read_text()))
    split = [target.partition("#") for target in targets if "://" not in target and not target.startswith("mailto:")]
    return [((page.parent / path).resolve() if path else page, heading) for path, _, heading in split]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        f"{file}#{heading}"
        for file, heading in links(page)
        if not file.exists() or (heading and file.suffix == ".md" and heading not in headings(file))
    ]

    assert broken == []


def test_the_contents_lead_to_each_page() -> None:
    """Over other pages too: a decision is found by the list of decisions."""
    seen: set[Path] = set()
    ahead = [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            ahead += [file for file, _ in links(page)]

    assert set(DOCS.rglob("*.md")) - seen == set()


def test_the_navigation_is_the_contents() -> None:
    begin = "## Begin\n\n- [Start\n  here](start.md), not [there](https://there.example)\n\n"
    index = f"# Contents\n\n{begin}## End\n\n[A](a/b.md#c)\n"

    assert navigation(index) == [{"Contents": "index.md"}, {"Begin": [{"Start here": "start.md"}]}, {"End": []}]


def test_a_dead_link_of_the_site_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<h1 id="top">A</h1><a href="../">up</a><a href="#nowhere">x</a>')
    (tmp_path / "index.html").write_text(
        '<a href="a/#top">a</a><a href="a/#end">b</a><img src="c.svg"><a href="//x/">x</a>'
    )

    assert sorted(dead_links(tmp_path)) == [
        ("a/index.html", "#nowhere"),
        ("index.html", "a/#end"),
        ("index.html", "c.svg"),
    ]
