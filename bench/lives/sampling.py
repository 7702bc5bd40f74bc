"""Runs the operator and writes down where its time goes: `python -m bench.lives.sampling FILE operator --config ...`.

Each two milliseconds of its processor time, the stack of the main thread is looked at. The file has a line for each
stack, from the outermost function to the innermost with `;` between, and how often it was seen: what makers of flame
graphs read.
"""

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from curfew.cli import main as curfew

EVERY = 0.002
"""Seconds of processor time."""

_seen: Counter[str] = Counter()


def main() -> None:
    """Run the command. At SIGUSR1, what was seen so far is forgotten; at SIGUSR2, it is written down."""
    file = Path(sys.argv.pop(1))
    signal.signal(signal.SIGPROF, lambda _, frame: _seen.update([_stack(frame)]))
    signal.signal(signal.SIGUSR1, lambda *_: _seen.clear())
    signal.signal(signal.SIGUSR2, lambda *_: _write(file))
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    curfew()


def _stack(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{_module(code.co_filename)}:{code.co_name}")
        frame = frame.f_back
    return ";".join(reversed(names))


def _module(path: str) -> str:
    return "/".join(Path(path).with_suffix("").parts[-2:])


def _write(file: Path) -> None:
    lines = [f"{stack} {count}" for stack, count in sorted(_seen.items())]
    partly = file.with_suffix(".part")
    partly.write_text("\n".join(lines) + "\n")
    partly.rename(file)


if __name__ == "__main__":
    main()
