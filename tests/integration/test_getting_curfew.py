"""Each documented way to the command `curfew`, without the lock: with the newest versions, and with the oldest that we name.

pip takes half a minute of CPU, uv three seconds: the ways of pip and pipx are tried in `make soak`.
"""

import itertools
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from tests.support.scale import soaks
from tests.support.trail import SIGNER, Observer, a_trail, records, running, until
from tools.servers.s3 import S3Server

CHECKOUT = Path(__file__).parents[2]
MOST_WORK = 60
"""Seconds of CPU, which a busy machine does not stretch. Without bounds, pip looked through 2,500 wheels."""

ATTEST = """
import asyncio, sys
from datetime import UTC, datetime
from curfew.adapters.objectstore import open_store

async def attest():
    store = open_store(sys.argv[1])
    return await store.attest((await store.list("v1/"))[-1], datetime.now(UTC))

print(asyncio.run(attest()).sufficient)
"""
EXTRAS = "import duckdb, securesystemslib.signer"


class Tools(NamedTuple):
    """What installs Python programs, itself as new as can be had, and where it may put things."""

    bin: Path
    folder: Path
    environ: dict[str, str]

    def run(self, *command: str | Path) -> str:
        """Return what a command prints. It must succeed."""
        done = subprocess.run(  # noqa: S603  the commands of this file
            command, cwd=CHECKOUT, env=self.environ, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


class Got(NamedTuple):
    """A finished installation: the Python that it is for, and the command that it left."""

    python: Path
    curfew: Path


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Return uv, and in a soak pip and pipx, in an environment of their own."""
    folder = tmp_path_factory.mktemp("tools")
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    elsewhere = {
        "PIPX_HOME": f"{folder}/pipx",
        "PIPX_BIN_DIR": f"{folder}/pipx-bin",
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "UV_TOOL_DIR": f"{folder}/uv",
        "UV_TOOL_BIN_DIR": f"{folder}/uv-bin",
        "UV_PYTHON": sys.executable,
        "NO_COLOR": "1",
        "PIP_NO_COMPILE": "1",  # what is installed is used once
    }
    made = Tools(folder / "venv/bin", folder, {k: v for k, v in os.environ.items() if k not in ours} | elsewhere)
    made.run(sys.executable, "-m", "venv", folder / "venv")
    made.run(made.bin / "pip", "install", "--upgrade", "uv", *(["pip", "pipx"] if soaks() else []))
    return made


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return a bucket server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
async def log(s3: S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Return the address of a log with a record in it, in a locked bucket."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    bucket = "log-" + "".join(letter for letter in request.node.name if letter.islower())[-40:]
    url, observer = f"s3://{s3.make_bucket(bucket)}/curfew", Observer()
    trail = a_trail(open_store(url), observer, clock=SystemClock())
    async with running(trail):
        trail.submit(records(1, 1))
        await until(observer, lambda: trail.receipt(records(1, 1)[0].id) is not None, within=30)
    return url


def by_pip(tools: Tools) -> Got:
    """Install as the page says, then add the extras."""
    tools.run(sys.executable, "-m", "venv", tools.folder / "pip")
    bin_ = tools.folder / "pip/bin"
    tools.run(bin_ / "pip", "install", ".")
    tools.run(bin_ / "pip", "install", ".[kms,parquet]")
    tools.run(bin_ / "python", "-c", EXTRAS)
    return Got(bin_ / "python", bin_ / "curfew")


def by_pipx(tools: Tools) -> Got:
    """Install as a command with an environment of its own."""
    tools.run(tools.bin / "pipx", "install", ".")
    return Got(tools.folder / "pipx/venvs/curfew/bin/python", tools.folder / "pipx-bin/curfew")


def by_uv(tools: Tools) -> Got:
    """Install likewise with uv."""
    tools.run(tools.bin / "uv", "tool", "install", ".")
    return Got(tools.folder / "uv/curfew/bin/python", tools.folder / "uv-bin/curfew")


def oldest(tools: Tools) -> Got:
    """Install the lower bounds, extras too."""
    tools.run(tools.bin / "uv", "venv", tools.folder / "oldest")
    python = tools.folder / "oldest/bin/python"
    tools.run(tools.bin / "uv", "pip", "install", "--python", python, "--resolution=lowest-direct", ".[kms,parquet]")
    tools.run(python, "-c", EXTRAS)
    return Got(python, tools.folder / "oldest/bin/curfew")


def work() -> float:
    """Return the seconds of CPU that finished commands have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("way", [*([by_pip, by_pipx] if soaks() else []), by_uv, oldest])
async def test_it_is_soon_installed_and_audits_a_bucket(
    way: Callable[[Tools], Got], tools: Tools, log: str, tmp_path: Path
) -> None:
    before = work()
    got = way(tools)
    assert work() - before < MOST_WORK

    tools.run(tools.bin / "uv", "pip", "check", "--python", got.python)
    assert tools.run(got.curfew, "--version") == "curfew 0.1.0\n"

    there = tools._replace(environ=tools.environ | {k: v for k, v in os.environ.items() if k.startswith("AWS_")})
    key = tmp_path / "curfew.pub"
    key.write_text(SIGNER.verifier_key)
    assert "Verified: log main" in there.run(got.curfew, "audit", "verify", log, "--key-file", key)
    assert there.run(got.python, "-c", ATTEST, log) == "True\n"
    there.run(got.python, "-c", "import curfew.processes.operator.app")  # the operator finds all it needs


def test_the_page_names_these_ways() -> None:
    blocks = re.findall(r"^```shell\n(.*?)^```", (CHECKOUT / "docs/install.md").read_text(), re.MULTILINE | re.DOTALL)
    (ways,) = (block for block in blocks if block.startswith("pipx"))
    typed = [line.partition("#")[0].strip() for line in ways.splitlines()]
    assert typed == ["pipx install .", "uv tool install .", "pip install .", "pip install '.[kms,parquet]'"]


def test_each_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    assert [one for one in named if ">=" not in one] == []
