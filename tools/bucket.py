"""`python -m tools.bucket`: what somebody with all rights can do to a bucket. Shows the server's answer as it comes.

The server and the keys come from the environment, as with any S3 client: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.servers.s3 import make_bucket

REFUSED = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a key or a prefix in it."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Read s3://BUCKET/KEY."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise argparse.ArgumentTypeError(f"{url} is not s3://BUCKET/KEY")
        return cls(parts.netloc, parts.path.lstrip("/"))

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"s3://{self.bucket}/{self.key}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 1 where the server refuses."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bucket", description="What somebody with all rights can do to a bucket."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    making = commands.add_parser("mb", help="make a bucket with Object Lock: COMPLIANCE, by default, one day")
    making.add_argument("place", type=Place.parse, metavar="s3://BUCKET")
    listing = commands.add_parser("ls", help="list the versions of all objects under a prefix, oldest first")
    listing.add_argument("place", type=Place.parse, metavar="s3://BUCKET/PREFIX")
    copying = commands.add_parser("cp", help="copy all objects under a prefix into a folder")
    copying.add_argument("place", type=Place.parse, metavar="s3://BUCKET/PREFIX")
    copying.add_argument("folder", type=Path)
    putting = commands.add_parser("put", help="store a file")
    putting.add_argument("--create", action="store_true", help="only if there is no object of that name")
    putting.add_argument("file", type=Path)
    putting.add_argument("place", type=Place.parse, metavar="s3://BUCKET/KEY")
    removing = commands.add_parser("rm", help="delete a version of an object for good")
    removing.add_argument("place", type=Place.parse, metavar="s3://BUCKET/KEY")
    removing.add_argument("version", nargs="?", help="the version; without it, the oldest one")
    chosen = parser.parse_args(arguments)

    import botocore.exceptions  # slow, so not for --help

    client = connect()
    try:
        match chosen.command:
            case "mb":
                make_bucket(client, chosen.place.bucket)
                print(f"Made {chosen.place}: each version that is stored there is locked for a day")
            case "ls":
                show(client, chosen.place)
            case "cp":
                copy(client, chosen.place, chosen.folder)
            case "put":
                put(client, chosen.file, chosen.place, create=chosen.create)
            case _:
                remove(client, chosen.place, chosen.version or first_version(client, chosen.place))
    except botocore.exceptions.ClientError as error:
        status, said = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]
        print(f"{status} {said.get('Code', '')}: {said.get('Message', '')}", file=sys.stderr)
        return REFUSED
    except (botocore.exceptions.BotoCoreError, OSError, LookupError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


def connect() -> Any:
    """Return a client set up by the environment."""
    import botocore.session
    from botocore.config import Config

    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return botocore.session.Session().create_client("s3", config=config)


def versions(client: Any, place: Place) -> Iterator[dict[str, Any]]:
    """Yield the versions of all objects under a prefix, by name, oldest first."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=place.key)
    # The server lists the names in order, and the versions of each from the newest on.
    newest_first = [one for page in pages for one in page.get("Versions", [])]
    for _, of_one_name in itertools.groupby(newest_first, key=lambda one: str(one["Key"])):
        yield from reversed(list(of_one_name))


def first_version(client: Any, place: Place) -> str:
    """Return the version that was there first."""
    for one in versions(client, place):
        if one["Key"] == place.key:
            return str(one["VersionId"])
    raise LookupError(f"There is no {place}.")


def show(client: Any, place: Place) -> None:
    """Print the versions under a prefix."""
    for one in versions(client, place):
        print(f"{one['LastModified']:%H:%M:%S}  {one['Size']:>7}  {one['VersionId']}  {one['Key']}")


def copy(client: Any, place: Place, folder: Path) -> None:
    """Copy all objects under a prefix; names below the prefix are kept."""
    prefix = f"{place.key.rstrip('/')}/" if place.key else ""
    count = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            target = folder / one["Key"].removeprefix(prefix)
            if folder.resolve() not in target.resolve().parents:
                raise LookupError(f"{one['Key']} would not be in {folder}.")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(client.get_object(Bucket=place.bucket, Key=one["Key"])["Body"].read())
            count += 1
    print(f"{count} objects copied to {folder}")


def put(client: Any, file: Path, place: Place, *, create: bool) -> None:
    """Store a file as an object."""
    condition = {"IfNoneMatch": "*"} if create else {}
    stored = client.put_object(Bucket=place.bucket, Key=place.key, Body=file.read_bytes(), **condition)
    print(f"Stored {place} as version {stored.get('VersionId', '(no versions)')}")


def remove(client: Any, place: Place, version: str) -> None:
    """Delete a version."""
    client.delete_object(Bucket=place.bucket, Key=place.key, VersionId=version)
    print(f"Deleted version {version} of {place}")


if __name__ == "__main__":
    sys.exit(main())
