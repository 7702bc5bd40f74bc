"""The pages whose commands are typed in the demo: their fenced blocks, and what came of each."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]
DOCS: Final = CHECKOUT / "docs"
PATIENCE_SECONDS: Final = 180

LAST: Final = ("end-everything-now", "the-bucket-is-gone")
"""Pages that other pages do not expect before them."""

BLOCK: Final = re.compile(
    r"(?:^(?P<mark> *<!-- not run: (?P<reason>.+?) -->)\n)?"
    r"^(?P<indent> *)```(?P<language>sh|shell)\n(?P<text>.*?)^ *```\n"
    r"(?:\n *```console\n(?P<shown>.*?)^ *```)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands on a page: run, or marked with the reason why not; and what is shown as their output."""

    language: str
    text: str
    reason: str
    shown: str

    @property
    def is_run(self) -> bool:
        """Tell whether a test types it: `sh` is run, `shell` is not."""
        return self.language == "sh"


def pages() -> list[Path]:
    """Return the pages whose commands are run, in the order in which they are."""
    how_to = sorted((DOCS / "how-to").glob("*.md"), key=lambda page: (page.stem in LAST, page.stem))
    return [DOCS / "start.md", DOCS / "install.md", *how_to]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that hold commands."""
    return [
        Block(
            found["language"],
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            found["reason"] or "",
            re.sub(f"^{found['indent']}", "", found["shown"] or "", flags=re.MULTILINE),
        )
        for found in BLOCK.finditer(page.read_text())
    ]


def type_page(page: Path, environ: str) -> Mapping[str, "subprocess.CompletedProcess[str]"]:
    """Type what a page says, as a person would who has set up their shell; stop at what fails."""
    typed: dict[str, subprocess.CompletedProcess[str]] = {}
    for block in (block for block in blocks(page) if block.is_run):
        done = subprocess.run(  # noqa: S603  typing what it says is the point
            ["/bin/sh", "-ec", f". {environ}\n{block.text}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        typed[block.text] = done
        if done.returncode != 0:
            break
    return typed
