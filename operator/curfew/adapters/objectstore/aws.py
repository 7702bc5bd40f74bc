"""Our identity for AWS, and for other S3 servers: botocore finds it for both of our clients, and reads it again.

obstore by itself knows no profiles, no single sign-on and no programs that print credentials.
"""

import gzip
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from curfew.adapters.objectstore.current import Current

if TYPE_CHECKING:
    from obstore.store import S3Credential

_ASK_EACH_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
REGION = "us-east-1"
_SUFFIX: Final = "amazonaws.com"

_SERVICES: Final = ("s3", "sts", "sso", "portal.sso", "oidc", "signin")
"""The services that are asked: the store, and those that give credentials."""


class NoAwsCredentials(Exception):
    """Nothing on this machine identifies us to AWS."""


class Aws:
    """The AWS settings of this process: its environment, and the files that the environment names."""

    def __init__(self) -> None:
        """Nothing is read yet, and botocore, which is large, is not imported yet."""
        self.session: Final[Current[Any]] = Current(_renew)

    def __call__(self) -> "S3Credential":
        """Return the credentials for the next request of obstore, or raise `NoAwsCredentials`."""
        found = self.session().get_credentials()
        if found is None:
            raise NoAwsCredentials("no credentials")
        keys = found.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token,
            "expires_at": _ASK_EACH_TIME,  # botocore has the answer in memory, and obstore would keep it for too long
        }

    def region(self) -> str:
        """Return the region that the environment or the profile names."""
        environ = os.environ
        named = environ.get("AWS_REGION") or self.session().get_config_variable("region")
        return str(named or REGION)

    def endpoint(self, region: str) -> str | None:
        """Return the address of S3 if it is not where obstore looks: the user's own server, or another partition."""
        environ = os.environ
        named = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        if named:
            return named
        partitions = self.session().get_data("partitions")["partitions"]
        suffix = next(
            (one["outputs"]["dnsSuffix"] for one in partitions if re.match(one["regionRegex"], region)), _SUFFIX
        )
        return None if suffix == _SUFFIX else f"https://s3.{region}.{suffix}"


def _renew(session: Any) -> Any:
    """Return the current botocore session. botocore renews keys that expire; keys in files are read again."""
    import botocore.session
    from botocore.credentials import RefreshableCredentials

    if session is not None and isinstance(session.get_credentials(), RefreshableCredentials):
        return session
    renewed = botocore.session.Session()
    renewed.get_component("data_loader").file_loader = _Descriptions()
    return renewed


class _Descriptions:
    """Reads botocore's descriptions of AWS, and keeps of them what is used here.

    botocore itself takes 12 MB for those of S3: most of that are the addresses of several hundred services.
    """

    _READ: Final[Mapping[str, Callable[[bytes], bytes]]] = {".json": bytes, ".json.gz": gzip.decompress}

    def exists(self, path: str) -> bool:
        """Whether there is such a file, of either kind."""
        return any(Path(path + kind).is_file() for kind in self._READ)

    def load_file(self, path: str) -> dict[str, Any] | None:
        """Return what the file describes, or None if there is no such file."""
        for kind, read in self._READ.items():
            if Path(path + kind).is_file():
                told: dict[str, Any] = orjson.loads(read(Path(path + kind).read_bytes()))
                for partition in told["partitions"] if Path(path).name == "endpoints" else ():
                    services = partition["services"]
                    partition["services"] = {name: services[name] for name in _SERVICES if name in services}
                return told
        return None


def ca_file(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the file with the certificates to trust, if the environment names one."""
    return environ.get("AWS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or None
