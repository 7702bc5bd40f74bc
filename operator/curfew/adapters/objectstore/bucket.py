"""A bucket as object store, through obstore: S3 and compatible servers, Google Cloud Storage, Azure."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import obstore
from botocore.exceptions import BotoCoreError
from obstore.exceptions import BaseError
from obstore.store import AzureStore, from_url

from curfew.adapters.objectstore import azure
from curfew.adapters.objectstore.aws import Aws, ca_file
from curfew.adapters.objectstore.current import of_variables
from curfew.adapters.objectstore.errors import is_refusal, is_unreadable_name, translate
from curfew.adapters.objectstore.s3 import S3Bucket
from curfew.adapters.objectstore.write_once import UNREAD, LockSettings, Undone, judge
from curfew.ports import (
    MOST_READ,
    Attestation,
    Keep,
    NamesUnreadable,
    ObjectExists,
    ObjectMissing,
    StoreError,
    StoreUnavailable,
    every,
)

if TYPE_CHECKING:  # obstore has these names for type checkers only
    from obstore.store import ClientConfig, RetryConfig, S3Config
    from obstore.store import ObjectStore as Client

CONNECT_TIMEOUT = timedelta(seconds=3)
TIMEOUT = timedelta(seconds=10)
"""How long one call may take, from connecting to the last byte."""

CANARY = b"Curfew stored this to see whether it can be deleted, which it must not be. It holds nothing.\n"
KINDS: Mapping[str, str] = {"s3": "bucket", "gs": "bucket", "az": "container"}
VARIABLES: Mapping[str, str] = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
"""The prefix of each cloud's environment variables."""

# The writer retries with the same bytes and interprets the answers; a retry without its knowledge is no help.
RETRIES: "RetryConfig" = {"max_retries": 0}


def open_bucket(url: str, *, retention: timedelta) -> "BucketStore":
    """Return the store at `url` with the environment's settings, or raise `StoreUnavailable` if they are unusable."""
    parts = urlsplit(url)
    variables = VARIABLES[parts.scheme]
    environ = os.environ
    # Options that are passed replace all that obstore would take from the environment, so this one is read here.
    options: ClientConfig = {
        "allow_http": environ.get(f"{variables}ALLOW_HTTP", "").lower() in ("1", "true", "yes"),
        "connect_timeout": CONNECT_TIMEOUT,
        "timeout": TIMEOUT,
    }
    if (trusted := ca_file()) is not None:
        options["root_certificate"] = _read(trusted)
    s3: S3Bucket | None = None
    with _refused_in_words(url):
        if parts.scheme == "s3":
            # Both clients get these settings from here: each knows some that the other does not.
            aws = Aws()
            region = aws.region()
            endpoint = aws.endpoint(region)
            s3 = S3Bucket(parts.netloc, endpoint, region, aws.session)
            # The server checks the body against this, and Object Lock on S3 requires a checksum with each PUT.
            config: S3Config = {"checksum_algorithm": "SHA256", "region": region}
            if endpoint:
                config["endpoint"] = endpoint
            client = from_url(url, config=config, client_options=options, retry_config=RETRIES, credential_provider=aws)
            return BucketStore(lambda: client, parts, s3=s3, retention=retention)

    def connect() -> "Client":
        with _refused_in_words(url):
            return from_url(url, client_options=options, retry_config=RETRIES)

    current = of_variables(variables, connect)
    current()  # so that unusable settings are refused now
    return BucketStore(current, parts, s3=None, retention=retention)


@contextmanager
def _refused_in_words(url: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, ValueError, BotoCoreError) as error:
        reason = str(error).split("\n", 1)[0]
        raise StoreUnavailable(f"{url} cannot be used with these settings: {reason}.") from error


def _read(path: str) -> bytes:
    """Return the certificates in a file, or raise `StoreUnavailable`."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StoreUnavailable(
            f"The certificates in {path} (AWS_CA_BUNDLE or SSL_CERT_FILE) cannot be read: {error.strerror}."
        ) from error


class BucketStore:
    """An `ObjectStore` in a bucket, or under a prefix of one."""

    def __init__(
        self, client: "Callable[[], Client]", address: SplitResult, *, s3: S3Bucket | None, retention: timedelta
    ) -> None:
        """No request is sent to the bucket yet.

        `client` returns the client with the current keys; `s3` reads how the bucket is set up.
        """
        self._client = client
        self._prefix = address.path.strip("/")
        self._url = f"{address.scheme}://{address.netloc}/{self._prefix}".rstrip("/")
        self._where = f"the {KINDS[address.scheme]} {address.netloc}"
        self._s3 = s3
        self._retention = retention

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        return self._url

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object. Raise `ObjectExists` if the name is taken, even by an object that is not ours."""
        try:
            await obstore.put_async(self._client(), name, body, mode="create", use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._create_failure(error, name) from error

    async def get(self, name: str) -> bytes:
        """Return an object's bytes; of a larger one, the first `MOST_READ` and one more. Raise `ObjectMissing`."""
        client = self._client()
        try:
            answer = await obstore.get_async(client, name)
            if answer.meta["size"] <= MOST_READ:
                return bytes(await answer.bytes_async())
            return bytes(await obstore.get_range_async(client, name, start=0, end=MOST_READ + 1))
        except (BaseError, OSError) as error:
            raise translate(error, name, self._where) from error

    async def delete(self, name: str) -> None:
        """Delete an object; no error if it does not exist. Old versions stay if the bucket keeps them."""
        try:
            await obstore.delete_async(self._client(), name)
        except (BaseError, OSError) as error:
            failure = translate(error, name, self._where)
            if not isinstance(failure, ObjectMissing):
                raise failure from error

    async def what_keeps(self, name: str) -> Sequence[str]:
        """Return why a deleted object may still be there."""
        if self._s3 is None:
            return (
                f"Whether {self._where} keeps deleted objects (versions, soft delete) cannot be checked. Check it yourself.",
            )
        seen = await self._s3.look(self._key(name))
        if seen.versioning == "":
            return ()
        if seen.versioning == UNREAD:
            return seen.unread
        return (
            f"{self._where.capitalize()} keeps versions, so deleted objects can be restored. Use one without versions.",
        )

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names under a prefix, sorted: of the first `most`, those for which `keep` is true."""
        found: list[str] = []
        seen = 0
        try:
            # Chunk by chunk: the other fields of a listing take ten times the memory of the names.
            async for chunk in obstore.list(self._client(), prefix, chunk_size=1000):
                found += [name for one in chunk if keep(name := one["path"])]
                seen += len(chunk)
                if most is not None and seen >= most:
                    break
        except (BaseError, OSError) as error:
            if not is_unreadable_name(error):
                raise translate(error, prefix, self._where) from error
            found = [name for name in await self._names_by_s3(prefix, most, error) if keep(name)]
        return sorted(found)

    async def _names_by_s3(self, prefix: str, most: int | None, error: Exception) -> Sequence[str]:
        """Return the names if obstore lists none because one is unreadable. Without S3, raise `NamesUnreadable`."""
        if self._s3 is None:
            raise NamesUnreadable(
                f"{self._where.capitalize()} holds an object under {prefix} whose name cannot be read: "
                f"{str(error)[:300]!r}. Remove it if you can; Curfew gives no object a name like that."
            ) from error
        names = await self._s3.names(self._key(prefix), most)
        return [name.removeprefix(self._key("")) for name in names]

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the "folders" one level under a prefix, each with its trailing slash, sorted."""
        try:
            found = await obstore.list_with_delimiter_async(self._client(), prefix)
        except (BaseError, OSError) as error:
            raise translate(error, prefix, self._where) from error
        return sorted(f"{one}/" for one in found["common_prefixes"])

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Prove as much of write-once as can be proved, with the stored object `name` as the sample.

        Raise `StoreUnavailable` if the store does not answer. A missing right to read is a finding, not an error.
        """
        # With the same bytes: if the store takes the object, against all we ask of it, the sample is unchanged.
        refused = not await self._creates(name, await self.get(name))
        seen = await self._look(name)
        undone = await self._try_to_undo(f"canary/{at:%Y-%m-%d}.txt", seen)
        return judge(seen, refused=refused, undone=undone, where=self._where, at=at, retention=self._retention)

    async def _look(self, name: str) -> LockSettings | None:
        """Return how objects are locked, or None if this store cannot report it."""
        if self._s3 is not None:
            return await self._s3.look(self._key(name))
        client = self._client()
        if isinstance(client, AzureStore):
            return await azure.look(client, name, self._where)
        return None

    async def _try_to_undo(self, canary: str, seen: LockSettings | None) -> Undone | None:
        """Return what could be done to a canary, an object that exists for nothing else. A new one is made each day.

        So it is locked like all objects written that day, and no record is lost if it is not locked.
        """
        await self._creates(canary, CANARY)
        try:
            if self._s3 is not None:
                return await self._s3.try_to_undo(self._key(canary))
            if seen is not None and seen.stamped is not None:
                return None  # Azure would put a locked version aside, which obstore cannot tell from a delete
            await obstore.delete_async(self._client(), canary)
        except (BaseError, OSError) as error:
            if is_refusal(error) or isinstance(error, FileNotFoundError):
                return None
            raise translate(error, canary, self._where) from error
        return Undone.DELETED

    async def _creates(self, name: str, body: bytes) -> bool:
        try:
            await self.create(name, body)
        except ObjectExists:
            return False
        return True

    def _key(self, name: str) -> str:
        """Return an object's name in the bucket, where our names may have a prefix."""
        return f"{self._prefix}/{name}".lstrip("/")

    def _create_failure(self, error: Exception, name: str) -> StoreError:
        failure = translate(error, name, self._where)
        if isinstance(failure, ObjectExists | StoreUnavailable):
            return failure
        # "Not found" in answer to a PUT can only mean the bucket.
        return StoreUnavailable(f"{name} cannot be stored in {self._where}, which may not exist. Check the address.")
