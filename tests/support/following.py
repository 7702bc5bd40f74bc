"""The two sides of a log file as processes of their own: one writes it and rotates it, one follows it into a folder."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from curfew.adapters.intake.files import FileFollower
from curfew.adapters.intake.settings import Begin, FollowSettings
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch
from tests.support.intake import Counted, event
from tests.support.logwriting import ROTATIONS, FastWriter

MODULE: Final = "tests.support.following"


def write(path: Path, lines: int, rotated_every: int, rotation: str, pause: float) -> None:
    """Write so many lines, each with one call as kube-apiserver does. Rotate after so many, and then pause (seconds)."""
    log = open_log(path)
    for number in range(lines):
        if number and number % rotated_every == 0:
            os.close(log)
            ROTATIONS[rotation](FastWriter(path))
            log = open_log(path)
            time.sleep(pause)
        os.write(log, event(number, 700))
    os.close(log)


def open_log(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)


class Placed:
    """A sink that puts each batch into a file of its own, whole or not at all. It fails if the observer was told of a loss.

    After `most` batches it takes no more, and waits for the end of its process; 0 is no limit.
    """

    def __init__(self, folder: Path, observer: Counted, most: int) -> None:
        self._folder = folder
        self._new = folder.with_suffix(".new")
        self._number = len(batches(folder))
        self._last = self._number + most if most else 0
        self._observer = observer

    async def take(self, batch: Batch) -> None:
        assert not self._observer.refusals
        if self._number == self._last:
            await asyncio.Event().wait()
        self._new.write_bytes(batch.body)
        self._new.rename(self._folder / f"{self._number:08}")
        self._number += 1
        await asyncio.sleep(0)


def batches(folder: Path) -> list[Path]:
    """Return the files of the batches that were taken, in their order."""
    return sorted(folder.iterdir())


def follow(path: Path, position: Path, taken: Path, most: int) -> None:
    """Follow a file for ever; after `most` batches, without taking any."""
    observer = Counted()
    settings = FollowSettings(path, "api-1", Form.KUBERNETES, position, Begin.BEGINNING, 1000, look_seconds=0.01)
    asyncio.run(FileFollower(settings, Placed(taken, observer, most), observer).run())


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], float(sys.argv[6]))
    else:
        follow(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
