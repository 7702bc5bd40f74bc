"""moto's S3 server: it stamps locks on objects, and lets everybody take them off again. For telling proof from show."""

import secrets
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import botocore.session
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tools.servers.ports import LOOPBACK
from tools.servers.s3 import REGION, make_bucket


class MotoServer:
    """A server in a thread of ours, its data in memory."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
        self._key, self._secret = secrets.token_hex(8), secrets.token_urlsafe(20)

    def __enter__(self) -> Self:
        """Return when it listens."""
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Return where it listens."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def env(self) -> dict[str, str]:
        """Return the variables by which S3 clients find it."""
        return {
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ALLOW_HTTP": "true",
        }

    @cached_property
    def _client(self) -> Any:
        return botocore.session.Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=self._key,
            aws_secret_access_key=self._secret,
            config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def client(self) -> Any:
        """Return the botocore client of it."""
        return self._client

    def make_bucket(self, name: str, **setup: Any) -> str:
        """Make a bucket and return its name, as `make_bucket` does."""
        return make_bucket(self.client(), name, **setup)
