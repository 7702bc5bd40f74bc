"""`make docs`: the documentation as a site in dist/docs, with no dead link.

The pages are read as they are. The navigation is the contents of docs/index.md. A file outside docs/ that a page links to
is copied beside the pages. The generator is installed from its own lock, into the cache, when it is first needed.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tools.installation import CHECKOUT
from tools.servers.folders import cache_folder

DOCS: Final = CHECKOUT / "docs"
SITE: Final = CHECKOUT / "dist" / "docs"
LOCK: Final = CHECKOUT / "requirements-docs.lock"
SOURCES: Final = "sources"
"""The folder of the site with the files that pages link to and that are no pages."""

LINK: Final = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")


def main() -> int:
    """Build the site and return the exit status: 1 if a link is dead."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        _stage(stage)
        built = subprocess.run([_generator(), "build", "--clean", "--strict"], cwd=stage, check=False)
        if built.returncode != 0:
            return built.returncode
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.move(stage / "site", SITE)
    broken = sorted(dead_links(SITE))
    for page, target in broken:
        print(f"{page}: {target} leads nowhere")
    if not broken:
        print(f"The site is in {SITE.relative_to(CHECKOUT)}: open index.html, or python -m http.server -d dist/docs")
    return 1 if broken else 0


def navigation(index: str) -> list[dict[str, Any]]:
    """Return the navigation: the sections of the contents, each with the pages that it links to."""
    sections: list[dict[str, Any]] = [{"Contents": "index.md"}]
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        links = [(name, target) for name, target in re.findall(r"\[([^\]]+)\]\(([^)#\s]+\.md)\)", text)]
        sections.append({title: [{" ".join(name.split()): target} for name, target in links]})
    return sections


def dead_links(site: Path) -> Iterator[tuple[str, str]]:
    """Yield each link in a site that leads to no file or no place in it, with its page."""
    pages = {page: _read(page) for page in site.rglob("*.html")}
    for page, (_, targets) in pages.items():
        if page.name == "404.html":
            continue  # its links are for a site at the top of its host
        for target in targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            file = file / "index.html" if file.is_dir() else file
            places = pages[file][0] if file in pages else set()
            if not file.is_file() or (parts.fragment and file in pages and unquote(parts.fragment) not in places):
                yield str(page.relative_to(site)), target


def _stage(stage: Path) -> None:
    """Put what the site is made from into a folder: pages, the files that they link to, and the settings."""
    pages = stage / "docs"
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("*.json"))
    for page in list(pages.rglob("*.md")):
        page.write_text(_with_links(page, pages))
    settings = {
        "site_name": "Curfew",
        "site_description": "Just-in-time access for Kubernetes that ends on time and leaves a record nobody can rewrite",
        "nav": navigation((DOCS / "index.md").read_text()),
        "use_directory_urls": False,  # so that the site can be read from a folder
        "theme": {"font": False, "features": ["navigation.indexes", "content.code.copy", "toc.follow"]},
        "markdown_extensions": {
            "tables": {},
            "toc": {"permalink": True},
            "pymdownx.highlight": {},
            "pymdownx.superfences": {
                "custom_fences": [
                    {"name": "mermaid", "class": "mermaid", "format": "pymdownx.superfences.fence_code_format"}
                ]
            },
        },
    }
    (stage / "zensical.toml").write_text(_toml("project", settings))


def _with_links(page: Path, pages: Path) -> str:
    """Return a page as it is in the site: its links to other files lead to their copies."""
    original = DOCS / page.relative_to(pages)
    return LINK.sub(lambda found: _led(found[1], original, page, pages), original.read_text())


def _led(target: str, original: Path, page: Path, pages: Path) -> str:
    """Return where a link of a page leads in the site. What is outside docs/ is copied into it."""
    if urlsplit(target).scheme or target.startswith("#"):
        return target
    file = (original.parent / target).resolve()
    if file.is_relative_to(DOCS) and file.suffix != ".json":
        return target
    copy = pages / SOURCES / file.relative_to(CHECKOUT)
    if file.is_dir():
        files = sorted(each for each in file.rglob("*") if each.is_file())
        for each in files:
            _copy(each, pages / SOURCES / each.relative_to(CHECKOUT))
        copy = copy / "files.md"
        listed = "\n".join(f"- [{each.relative_to(file)}]({_named(each.relative_to(file))})" for each in files)
        copy.write_text(f"# Files of {file.relative_to(CHECKOUT)}\n\n{listed}\n")
    else:
        _copy(file, copy)
        copy = _named(copy)
    return str(Path(*[".."] * len(page.parent.relative_to(pages).parts)) / copy.relative_to(pages))


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, _named(to))


def _named(file: Path) -> Path:
    """Return the name of a copied file: nothing but our pages is taken for a page."""
    return file.with_name(f"{file.name}.txt") if file.suffix in {".md", ".html"} else file


def _generator() -> Path:
    """Return the program that builds the site; the first time, it is installed."""
    made_from = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache_folder() / f"site-{made_from}"
    if not (folder / "whole").exists():
        print("Installing what builds the site, once.", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [f"{folder}/bin/pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
        (folder / "whole").touch()
    return folder / "bin" / "zensical"


def _toml(table: str, settings: dict[str, Any]) -> str:
    """Return a table of TOML. JSON's texts and lists are TOML's too; tables in lists are written inline."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    lines = [f"[{table}]", *(f"{name} = {_inline(value)}" for name, value in plain.items())]
    for name, value in settings.items():
        if isinstance(value, dict):
            lines.append(_toml(f'{table}."{name}"', value))
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_inline(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


class _Page(HTMLParser):
    """Collects the places of a page that can be linked to, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places |= {place for name in ("id", "name") if (place := found.get(name))}
        target = found.get("src") if tag in {"img", "script"} else found.get("href")
        if target:
            self.targets.append(target)


def _read(page: Path) -> tuple[set[str], list[str]]:
    parsed = _Page()
    parsed.feed(page.read_text())
    return parsed.places, parsed.targets


if __name__ == "__main__":
    sys.exit(main())
