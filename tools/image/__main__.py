"""`python -m tools.image`: build the container image as an OCI archive, or list what is in it (SBOM)."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.image.archive import read_archive
from tools.image.builders import Build, commands
from tools.image.errors import ImageError
from tools.image.origin import CHECKOUT, labels, project, public_base, source_date
from tools.image.sbom import LOCK, sbom, written


def build(base: str | None, to: Path | None) -> None:
    """Build the image into an archive, and say how large and what it is."""
    base = base or public_base()
    version = project()["version"]
    archive = (to or CHECKOUT / "dist" / f"curfew-{version}.oci.tar").absolute()
    trusted = os.environ.get("PIP_CERT")
    epoch = source_date()
    asked = commands(
        Build(
            base,
            f"localhost/curfew:{version}",
            epoch,
            labels(base, epoch),
            archive,
            Path(trusted) if trusted else None,
        )
    )
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)  # builders add to an archive that is there, or refuse it
    for command in asked:
        ended = subprocess.run(command, cwd=CHECKOUT, check=False).returncode
        if ended:
            raise ImageError(f"`{command[0]} {command[1]}` ended with {ended}.")
    built = read_archive(archive)
    print(f"{archive}\nabove the base: {built.above_base / 1e6:.1f} MB compressed\n{built.digest}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked. Return 1 if it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    asked = parser.add_subparsers(dest="command", required=True)
    building = asked.add_parser("build", help="build the image as an OCI archive")
    building.add_argument("--base", help="image to build on (by default the one in the Dockerfile)")
    building.add_argument("--to", type=Path, help="archive to write (by default dist/curfew-VERSION.oci.tar)")
    listing = asked.add_parser("sbom", help="list what is in the image, as CycloneDX 1.6")
    listing.add_argument("--to", type=Path, help="file to write (by default, the output)")
    given = parser.parse_args(arguments)
    try:
        if given.command == "build":
            build(given.base, given.to)
            return 0
        text = written(sbom(LOCK.read_text(), source_date()))
        if given.to is None:
            print(text, end="")
        else:
            given.to.write_text(text)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
