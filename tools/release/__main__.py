"""`python -m tools.release`: make everything that is published of a version, in dist/.

The image as an OCI archive, the chart as a package, the wheel, one file with all packages, the SBOM, the section of the
changelog, and SHA256SUMS of all of them. Nothing is published.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.image.__main__ import build
from tools.image.errors import ImageError
from tools.image.origin import CHECKOUT, source_date
from tools.image.sbom import LOCK, sbom, written
from tools.release import one_file
from tools.release.errors import ReleaseError
from tools.release.versions import CHART, changes, version
from tools.servers.build import binary
from tools.servers.errors import ServersError

SUMS: Final = "SHA256SUMS"


def release(to: Path, *, base: str | None, is_trial: bool, has_image: bool) -> None:
    """Make a release in an empty folder. A trial takes what the changelog has as unreleased, and a changed checkout."""
    number = version()
    told = changes("Unreleased" if is_trial else number)
    if not is_trial and _output("git", "status", "--porcelain"):
        raise ReleaseError("The checkout has changes. Commit them first, or make a trial with --trial.")
    if to.exists() and any(to.iterdir()):
        raise ReleaseError(f"{to} is not empty. Remove it, or name another folder with --to.")
    to.mkdir(parents=True, exist_ok=True)
    epoch = source_date()
    (to / f"CHANGES-{number}.md").write_text(told)
    (to / f"curfew-{number}.cdx.json").write_text(written(sbom(LOCK.read_text(), epoch)))
    wheel = _wheel(to, epoch)
    _run(str(binary("helm")), "package", str(CHART), "--destination", str(to))
    with tempfile.TemporaryDirectory() as scratch:
        one_file.make(wheel, to / one_file.name(number), Path(scratch), epoch)
    if has_image:
        build(base, to / f"curfew-{number}.oci.tar")
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(to.iterdir())]
    (to / SUMS).write_text("".join(sums))
    for file in sorted(to.iterdir()):
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file}")


def _wheel(to: Path, epoch: int) -> Path:
    """Make the wheel with the build tool of .venv, which the lock has."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    before = set(to.iterdir())
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", str(to), str(CHECKOUT)),
        environ=environ,
    )
    (made,) = set(to.iterdir()) - before
    return made


def _run(*command: str, environ: dict[str, str] | None = None) -> None:
    ended = subprocess.run(command, cwd=CHECKOUT, env=environ, check=False).returncode
    if ended:
        raise ReleaseError(f"`{Path(command[0]).name} {command[1]}` ended with {ended}.")


def _output(*command: str) -> str:
    git = shutil.which(command[0])
    if git is None:
        raise ReleaseError(f"{command[0]} is not on PATH.")
    done = subprocess.run([git, *command[1:]], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release. Return 1 if it cannot be made."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=CHECKOUT / "dist", help="an empty folder (by default dist)")
    parser.add_argument("--base", help="image to build on (by default the one in the Dockerfile)")
    parser.add_argument("--trial", action="store_true", help="take what is unreleased, also from a changed checkout")
    parser.add_argument("--no-image", action="store_true", help="leave out the image")
    given = parser.parse_args(arguments)
    try:
        release(given.to.absolute(), base=given.base, is_trial=given.trial, has_image=not given.no_image)
    except (ReleaseError, ImageError, ServersError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
