"""Credentials as files: each file in a folder is a variable of the environment, and is read again while Curfew runs.

A mounted Secret changes in a running pod; the variables that a pod was started with do not.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from curfew.settings.loading import SettingsRefused

READ_AGAIN_SECONDS = 10.0
LARGEST: Final = 64 * 1024
"""Most bytes of one file. A certificate or a token has fewer."""

_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


class Variables:
    """The variables in a folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._set: set[str] = set()

    def read(self) -> None:
        """Set the variables, and unset those whose files are gone. If it raises `SettingsRefused`, nothing was set."""
        try:
            found = dict(self._files())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a file is not text"
            raise SettingsRefused((f"The credentials in {self._folder} cannot be read: {reason}.",)) from error
        for name in self._set - found.keys():
            os.environ.pop(name, None)
        os.environ.update(found)
        self._set = set(found)

    async def run(self) -> None:
        """Read them again and again. If the folder cannot be read for a moment, nothing changes."""
        while True:
            await asyncio.sleep(READ_AGAIN_SECONDS)
            try:
                self.read()
            except SettingsRefused:
                continue

    def _files(self) -> Iterator[tuple[str, str]]:
        # kubelet replaces all files at once, by this link: so an id and its key come from one folder.
        folder = (self._folder / "..data").resolve() if (self._folder / "..data").exists() else self._folder
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name) and path.is_file() and path.stat().st_size <= LARGEST:
                value = path.read_text(encoding="utf-8").removesuffix("\n")
                if "\0" not in value:
                    yield path.name, value
