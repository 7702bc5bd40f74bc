"""The user's own kubectl: contexts, sign-in plugins and impersonation work as they are used to.

KUBECTL_PATH names the program; otherwise the first `kubectl` on PATH is run. No shell is involved: each argument reaches
kubectl as it is.
"""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
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
    seconds: float = SECONDS
    answer_bytes: int = ANSWER_BYTES

    def run(self, arguments: Sequence[str], *, stdin: str = "") -> str:
        """Run kubectl with `arguments`, `stdin` as its input, and return what it wrote.

        Raise `KubectlMissing`, `KubectlRefused`, or `KubectlFailed` for an answer that came too late or was too large.
        """
        program = find_kubectl(os.environ)
        words = [program, *self._where(), *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603  the person's own kubectl, without a shell
                words,
                stdin=subprocess.PIPE if stdin else None,  # without input, a sign-in plugin may ask the person
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            raise KubectlMissing(f"{program} cannot be run: {error}. {_NEXT_STEP}") from None
        with process:
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
            words_of_kubectl = printable(complaint.text().strip())[:_SHOWN] or f"exit code {process.returncode}"
            raise KubectlRefused(f"{what} failed: {words_of_kubectl}", words_of_kubectl)
        return answer.text()

    def read(self, arguments: Sequence[str]) -> Any:
        """Run kubectl with `arguments` and `-o json`, and return the JSON that it wrote. Raise as `run` does."""
        return _parsed(self.run([*arguments, "--output=json"]))

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Any:
        """Create an object and return it as the API server has it. Raise as `run` does."""
        checking = ["--dry-run=server"] if dry_run else []
        arguments = ["create", "--filename=-", *checking, "--output=json"]
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
        return [*context, *([f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else [])]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise KubectlFailed("kubectl did not answer with JSON; check that KUBECTL_PATH names kubectl") from None


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
    if process.stdout is None or process.stderr is None:
        raise AssertionError("both are pipes")
    answer = _Output(process.stdout, limit, process.kill)
    complaint = _Output(process.stderr, _COMPLAINT_BYTES, lambda: None)
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
