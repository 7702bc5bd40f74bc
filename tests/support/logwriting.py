"""Writers of a log file that is rotated in the ways that there are."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final


class LogWriter:
    """Writes a log file and rotates it. Each change has a time of modification of its own, as slow files have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ticks = 1_000_000_000_000_000_000

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)
        self._tick()

    def rename(self) -> None:
        """Rotate as kube-apiserver does."""
        self.path.rename(self.path.with_name(f"{self.path.stem}-{self._stamp()}{self.path.suffix}"))
        self.path.touch(mode=0o600)
        self._tick()

    def move_up(self) -> None:
        """Rotate as logrotate does with `create`."""
        self._make_room()
        self.path.rename(self._numbered(1))
        self.path.touch(mode=0o600)
        self._tick()

    def copy_and_cut(self) -> None:
        """Rotate as logrotate does with `copytruncate`."""
        self._make_room()
        shutil.copyfile(self.path, self._numbered(1))
        self._tick(self._numbered(1))
        os.truncate(self.path, 0)
        self._tick()

    def _stamp(self) -> str:
        self._ticks += 1
        return f"2026-11-23T12-{self._ticks // 60_000 % 60:02}-{self._ticks // 1000 % 60:02}.{self._ticks % 1000:03}"

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _make_room(self) -> None:
        number = 1
        while self._numbered(number).exists():
            number += 1
        for older in range(number, 1, -1):
            self._numbered(older - 1).rename(self._numbered(older))

    def _tick(self, path: Path | None = None) -> None:
        self._ticks += 1
        os.utime(path or self.path, ns=(self._ticks, self._ticks))


class FastWriter(LogWriter):
    """Leaves the times to the system: files may have the same."""

    def _stamp(self) -> str:
        before = datetime.now(UTC)
        while (now := datetime.now(UTC)).microsecond // 1000 == before.microsecond // 1000:
            pass  # no two files may get one name
        return f"{now:%Y-%m-%dT%H-%M-%S}.{now.microsecond // 1000:03}"

    def _tick(self, path: Path | None = None) -> None:
        pass


Rotation = Callable[[LogWriter], None]

ROTATIONS: Final[dict[str, Rotation]] = {
    "renamed as kube-apiserver does": LogWriter.rename,
    "renamed as logrotate does": LogWriter.move_up,
    "copied and cut": LogWriter.copy_and_cut,
}
