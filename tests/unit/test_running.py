"""A process ends when its main task has ended, whatever is left of it (promise P11)."""

import subprocess
import sys
from typing import Final

import pytest

PROGRAM: Final = """
import asyncio, threading, time
from curfew.tasks import running

running.LEFT_OVER_SECONDS = {seconds}

async def never_ends():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main():
    {left}
    await asyncio.sleep(0)
    {end}

running.run_process(main())
print("in order")
"""

LEFT: Final = {
    "a task that ignores that it is cancelled": "task = asyncio.create_task(never_ends())",
    "a call in a thread that does not return": "task = asyncio.create_task(asyncio.to_thread(time.sleep, 3600))",
}


def run(left: str, end: str, seconds: float = 0.2) -> subprocess.CompletedProcess[str]:
    """Run a process that leaves something behind, ends so, and waits so long for what is left."""
    program = PROGRAM.format(left=left, end=end, seconds=seconds)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603  our own


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_what_is_left_keeps_no_process_from_ending(left: str) -> None:
    ended = run(left, "pass")
    assert ended.returncode == 0, ended.stderr
    assert "ending without what was left" in ended.stdout + ended.stderr


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_an_error_is_shown_all_the_same(left: str) -> None:
    ended = run(left, 'raise RuntimeError("the reason")')
    assert ended.returncode == 1
    assert "RuntimeError: the reason" in ended.stderr


def test_a_process_that_leaves_nothing_ends_in_its_own_way() -> None:
    assert run("pass", "pass", seconds=60).stdout == "in order\n"
