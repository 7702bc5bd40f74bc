"""The demo as a process, as a person would run it: listened to, typed along with, interrupted."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from tests.docs.pages import CHECKOUT, type_page

PATIENCE_SECONDS: Final = 500.0
"""After which a demo that does not say what is waited for is ended, so that the tests go on."""


class Told:
    """A demo that was told and stays up, with what it told and what was typed then."""

    def __init__(self) -> None:
        """Run the whole demo, and type what it says can be typed next."""
        self._stack = ExitStack()
        self._process = self._stack.enter_context(demo("--keep"))
        self.output = listen(self._process, "--follow")
        took = re.search(r"(\d+) s\n", self.output[self.output.rfind("All ") :])
        self.seconds = int(took[1]) if took else 0
        self.typed = {command: type_(self.output, command) for command in next_commands(self.output)}

    def type_page(self, page: Path) -> Mapping[str, "subprocess.CompletedProcess[str]"]:
        """Type what a page says."""
        return type_page(page, env_file(self.output))

    def end(self) -> tuple[int, list[str]]:
        """Press Ctrl-C. Return the exit code, and what was left."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate()
        return self._process.returncode, left_of(self.output)

    def close(self) -> None:
        """End it, if nobody has."""
        self._stack.close()


def _hear_ctrl_c() -> None:
    """Take Ctrl-C as a terminal would have it: what a shell starts in the background is deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the demo; it is ended with the block, however that ends."""
    process = subprocess.Popen(  # noqa: S603  it is our demo
        [sys.executable, "-m", "tools.demo", *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that a Ctrl-C for the tests is not one for the demo
        preexec_fn=_hear_ctrl_c,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def listen(process: "subprocess.Popen[str]", words: str) -> str:
    """Return what was told up to a line with these words, or to the end."""
    heard = []
    watchdog = threading.Timer(PATIENCE_SECONDS, process.terminate)
    watchdog.start()
    try:
        for line in _stream(process):
            heard.append(line)
            if words in line:
                break
    finally:
        watchdog.cancel()
    return "".join(heard)


def next_commands(output: str) -> list[str]:
    """Return what the demo says can be typed next, without the line that sets up the shell."""
    _, _, after = output.partition("What to type next")
    commands: list[str] = []
    for line in (line[4:] for line in after.splitlines()[2:]):
        if line.startswith(" "):
            commands[-1] += f"\n{line}"
        else:
            commands.append(line)
    return [command.removesuffix(" --follow") for command in commands if not command.startswith(". ")]


def type_(output: str, command: str) -> "subprocess.CompletedProcess[str]":
    """Type a command as a person would who has set up their shell as the demo says, and has waited for what came before."""
    conditions = {
        '"Approve"': "{.status.phase}'=Active",
        '"Revoke"': "{.status.activity.final}'=true",
        "apply": "{.status.phase}'=Pending",
    }
    settled = "".join(
        f"\nkubectl wait -n payments --for=jsonpath='{condition} accessrequest/inc-4713 --timeout=30s >&2"
        for word, condition in conditions.items()
        if word in command
    )
    return subprocess.run(  # noqa: S603  typing what it says is the point
        ["/bin/sh", "-c", f". {env_file(output)}\n{command}{settled}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def env_file(output: str) -> str:
    """Return the file that sets up a shell."""
    found = re.search(r"in another terminal: \. (\S+)", output)
    assert found is not None, output
    return found[1]


def left_of(output: str) -> list[str]:
    """Return the processes that still have to do with a demo's folder, and the folder itself if it is there."""
    folder = Path(env_file(output)).parents[1]
    return [*([str(folder)] if folder.exists() else []), *_processes_of(folder)]


def _processes_of(folder: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # not ours, or gone
        if str(folder).encode() in said:
            yield f"{process.name}: {said.split(bytes(1))[0].decode(errors='replace')}"


def _stream(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout
