"""The user's own kubectl: contexts, sign-in plugins and impersonation work as they are used to.

KUBECTL_PATH names the program; otherwise the first `kubectl` on PATH is run. No shell is involved: each argument reaches
kubectl as it is.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import click

from curfew.audit.wording import printable

PATH_VARIABLE: Final = "KUBECTL_PATH"
"""The environment variable that names the program."""

SECONDS: Final = 30.0
"""How long a call may take. A person may have to sign in during it."""

ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Most bytes that are read from one call: tens of thousands of objects."""

_COMPLAINT_BYTES: Final = 64 * 1024
_LOG_LINE: Final = r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ "  # kubectl's own log, which is for its developers
_SHOWN: Final = 2000  # characters of kubectl's complaint that are shown


class KubectlFailed(Exception):
    """kubectl did not do what was asked. `str(error)` names what happened and the next step."""


class KubectlMissing(KubectlFailed):
    """There is no kubectl that can be run."""


class KubectlRefused(KubectlFailed):
    """kubectl, or the API server, said no. `complaint` is what kubectl wrote, made printable."""

    def __init__(self, message: str, complaint: str) -> None:
        super().__init__(message)
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class Kubectl:
    """How to call kubectl. An empty `context` or `kubeconfig` leaves the choice to kubectl, as always."""

    context: str = ""
    kubeconfig: str = ""
    more: tuple[str, ...] = ()
    """Other options for each call, such as `--as=bob@example.com`."""
    seconds: float = SECONDS
    answer_bytes: int = ANSWER_BYTES

    def run(self, arguments: Sequence[str], *, stdin: str = "") -> str:
        """Run kubectl with `arguments`, `stdin` as its input, and return what it wrote.

        Raise `KubectlMissing`, `KubectlRefused`, or `KubectlFailed` for an answer that came too late or was too large.
        """
        words = [find_kubectl(os.environ), *self._where(), *arguments]
        with _started(words, has_input=bool(stdin)) as process:
            answer, complaint = _converse(process, stdin.encode(), self.seconds, self.answer_bytes)
        what = printable(f"kubectl {arguments[0] if arguments else ''}".strip())
        if answer.is_late:
            raise KubectlFailed(
                f"{what} did not answer within {self.seconds:g} s. Check with kubectl version that the cluster can be "
                "reached, and try again."
            )
        if answer.is_cut:
            raise KubectlFailed(
                f"{what} answered with more than {self.answer_bytes // 2**20} MiB; ask for less at once."
            )
        if process.returncode != 0:
            raise _refused(what, complaint.text(), process.returncode)
        return answer.text()

    def read(self, arguments: Sequence[str]) -> Any:
        """Run kubectl with `arguments` and `-o json`, and return the JSON that it wrote. Raise as `run` does."""
        return _parsed(self.run([*arguments, "--output=json"]))

    def read_all(self, arguments: Sequence[str], *, stdin: str = "") -> list[Any]:
        """Run kubectl with `arguments`, and return the JSON documents that it wrote, one or more. Raise as `run` does."""
        left = self.run([*arguments, "--output=json"], stdin=stdin).strip()
        found = []
        while left:
            try:
                document, end = json.JSONDecoder().raw_decode(left)
            except (ValueError, RecursionError):
                raise KubectlFailed(_NO_JSON) from None
            found.append(document)
            left = left[end:].strip()
        return found

    def follow(self, arguments: Sequence[str], *, seconds: float | None = None) -> Generator[Any, None, None]:
        """Run `kubectl get --watch` with `arguments`, and yield each JSON document as it comes, until the API server ends it.

        After `seconds`, if given, it just ends. kubectl is ended when the iterator is. Raise as `run` does.
        """
        words = [find_kubectl(os.environ), *self._where(), *arguments, "--watch", "--output=json"]
        with _started(words) as process:
            timer = threading.Timer(seconds, process.kill) if seconds is not None else None
            complaint = _Output(_pipe(process.stderr), _COMPLAINT_BYTES, lambda: None)
            is_over = False
            try:
                if timer is not None:
                    timer.start()
                yield from _documents(_pipe(process.stdout), self.answer_bytes)
                is_over = True
            finally:
                if timer is not None:
                    timer.cancel()
                if not is_over:
                    process.kill()
            is_killed = process.wait() < 0  # by the timer
            complaint.join()
        if process.returncode != 0 and not is_killed:
            raise _refused("kubectl get --watch", complaint.text(), process.returncode)

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False, options: Sequence[str] = ()) -> Any:
        """Create an object and return it as the API server has it. Raise as `run` does."""
        checking = ["--dry-run=server"] if dry_run else []
        arguments = ["create", "--filename=-", *checking, *options, "--output=json"]
        return _parsed(self.run(arguments, stdin=json.dumps(manifest)))

    def who_am_i(self) -> str:
        """Return the user name that the API server knows the caller by. Raise as `run` does."""
        answer = self.read(["auth", "whoami"])
        name = answer.get("status", {}).get("userInfo", {}).get("username") if isinstance(answer, dict) else None
        if not isinstance(name, str) or not name:
            raise KubectlFailed("the API server did not say who you are; check it with kubectl auth whoami")
        return name

    def _where(self) -> list[str]:
        context = [f"--context={self.context}"] if self.context else []
        return [*context, *([f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []), *self.more]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise KubectlFailed(_NO_JSON) from None


def find_kubectl(environment: Mapping[str, str]) -> str:
    """Return the program that is kubectl here, or raise `KubectlMissing`."""
    named = environment.get(PATH_VARIABLE, "")
    found = shutil.which(named or "kubectl", path=environment.get("PATH"))
    if found is None:
        raise KubectlMissing(
            f"{PATH_VARIABLE} names {printable(named)}, which cannot be run. {_NEXT_STEP}"
            if named
            else f"there is no kubectl on PATH. {_NEXT_STEP}"
        )
    return found


def kubectl_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options --context and --kubeconfig to a command."""
    context = click.option(
        "--context", default="", metavar="NAME", help="The context of the kubeconfig. Default: kubectl's."
    )
    kubeconfig = click.option("--kubeconfig", default="", metavar="FILE", help="The kubeconfig. Default: kubectl's.")
    return context(kubeconfig(command))


_NEXT_STEP = (
    f"Install kubectl, or set {PATH_VARIABLE} to the program; https://kubernetes.io/docs/tasks/tools/ shows how."
)


_NO_JSON = "kubectl did not answer with JSON; check that KUBECTL_PATH names kubectl"


def _started(words: Sequence[str], *, has_input: bool = False) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603  the person's own kubectl, without a shell
            words,
            stdin=subprocess.PIPE if has_input else None,  # without input, a sign-in plugin may ask the person
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        raise KubectlMissing(f"{words[0]} cannot be run: {error}. {_NEXT_STEP}") from None


def _refused(what: str, complaint: str, code: int) -> KubectlRefused:
    lines = [line for line in complaint.strip().splitlines() if not re.match(_LOG_LINE, line)]
    words = printable("\n".join(lines) or complaint.strip())[:_SHOWN] or f"exit code {code}"
    return KubectlRefused(f"{what} failed: {words}", words)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("it was asked for")
    return pipe


def _documents(pipe: IO[bytes], most: int) -> Iterator[Any]:
    """Yield JSON documents as kubectl writes them one after the other: indented, so a line `}` ends one, or each in a line."""
    lines: list[bytes] = []
    size = 0
    for line in pipe:
        lines.append(line)
        size += len(line)
        if size > most:
            raise KubectlFailed(f"kubectl wrote more than {most // 2**20} MiB about one object")
        end = line.rstrip()
        if end == b"}" or (len(lines) == 1 and end.startswith(b"{") and end.endswith(b"}")):
            yield _parsed(b"".join(lines).decode("utf-8", errors="replace"))
            lines, size = [], 0


class _Output:
    """Reads what kubectl writes, up to a limit."""

    def __init__(self, pipe: IO[bytes], limit: int, too_much: Callable[[], None]) -> None:
        """`too_much` is called once the limit is reached. What is above it is read and dropped, so that nobody waits."""
        self._left = limit
        self._too_much = too_much
        self._chunks: list[bytes] = []
        self.is_cut = False
        self.is_late = False
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # the pipe was closed: kubectl is over, and a child of it is not
            while chunk := os.read(pipe.fileno(), 65536):
                if len(chunk) > self._left and not self.is_cut:
                    self.is_cut = True
                    self._too_much()
                if kept := chunk[: self._left]:
                    self._chunks.append(kept)
                    self._left -= len(kept)

    def join(self) -> None:
        """Wait until everything is read; not for long, because a child of kubectl may hold the pipe."""
        self._thread.join(timeout=1.0)

    def text(self) -> str:
        """Return what was read."""
        return b"".join(self._chunks).decode("utf-8", errors="replace")


def _converse(process: "subprocess.Popen[bytes]", stdin: bytes, seconds: float, limit: int) -> tuple[_Output, _Output]:
    """Hand kubectl its input and read its output. It is ended if it takes too long or writes too much."""
    answer = _Output(_pipe(process.stdout), limit, process.kill)
    complaint = _Output(_pipe(process.stderr), _COMPLAINT_BYTES, lambda: None)
    if process.stdin is not None:
        threading.Thread(target=_write, args=(process.stdin, stdin), daemon=True).start()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        answer.is_late = True
        process.kill()
        process.wait()
    except BaseException:  # Ctrl-C as well
        process.kill()
        raise
    for output in (answer, complaint):
        output.join()
    return answer, complaint


def _write(pipe: IO[bytes], stdin: bytes) -> None:
    try:
        with pipe:
            pipe.write(stdin)
    except OSError:
        return  # kubectl ended without reading all of it; its exit code shows why
