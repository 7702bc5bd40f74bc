"""The demo as a process, as a person would run it: listened to, typed along with, interrupted."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tests.docs.pages import CHECKOUT, pages, type_page

PATIENCE_SECONDS: Final = 500.0
"""After which a demo that says nothing more is ended, so that the tests go on."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the demo told until it stayed up, what was typed then, and what was left when it had ended."""

    output: str
    seconds: int
    typed: dict[str, "subprocess.CompletedProcess[str]"]
    pages: Mapping[Path, Mapping[str, "subprocess.CompletedProcess[str]"]]
    """What was typed of each page."""
    status: int
    left: list[str]


def tell() -> Told:
    """Run the whole demo, type what it says can be typed next, and end it."""
    with demo("--keep") as process:
        output = listen(process, "--follow")
        typed = {command: type_(output, command) for command in next_commands(output)}
        told = {page: type_page(page, env_file(output)) for page in pages()}
        process.send_signal(signal.SIGINT)
        process.communicate()
    took = re.search(r"(\d+) s\n", output[output.rfind("All ") :])
    return Told(output, int(took[1]) if took else 0, typed, told, process.returncode, left_of(output))


def _hear_ctrl_c() -> None:
    """Take Ctrl-C as a terminal would have it: what a shell starts in the background is deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the demo; it is ended with the block, however that ends, and when it takes too long."""
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
    watchdog = threading.Timer(PATIENCE_SECONDS, process.terminate)
    watchdog.start()
    try:
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
    finally:
        watchdog.cancel()


def listen(process: "subprocess.Popen[str]", words: str) -> str:
    """Return what was told up to a line with these words, or to the end."""
    heard = []
    for line in _stream(process):
        heard.append(line)
        if words in line:
            break
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
