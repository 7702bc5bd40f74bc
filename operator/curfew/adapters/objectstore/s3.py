"""How an S3 bucket is set up, and what can be done to an object in it: S3's own API, through botocore, in a thread.

obstore has no calls for this.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from curfew.adapters.objectstore.aws import ca_file
from curfew.adapters.objectstore.errors import BY_CODE, NO_CREDENTIALS, Answer, sentence
from curfew.adapters.objectstore.write_once import UNREAD, Lock, LockSettings, Undone
from curfew.ports import StoreUnavailable

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 5
NOT_IMPLEMENTED = 501


class S3Bucket:
    """Reads how a bucket is set up."""

    def __init__(self, bucket: str, endpoint: str | None, region: str, session: Callable[[], Any]) -> None:
        """No request is sent yet. `session` returns the botocore session with the current credentials."""
        self._bucket = bucket
        self._endpoint = endpoint
        self._host = (endpoint or "S3").split("://")[-1].rstrip("/")
        self._region = region
        self._session = session
        self._client: Any = None
        self._connected_by: Any = None
        self._one_at_a_time = threading.Lock()

    async def look(self, key: str) -> LockSettings:
        """Return how the bucket is set up and how the object `key` is locked, or raise `StoreUnavailable`."""
        return await asyncio.to_thread(self._look, key)

    async def try_to_undo(self, key: str) -> Undone | None:
        """Return what could be done to the canary `key` although it is locked, or None if everything was refused.

        If the canary shows a lock, try to shorten it by a second; then try to delete its version. Raise
        `StoreUnavailable` if there was no answer.
        """
        return await asyncio.to_thread(self._try_to_undo, key)

    async def names(self, prefix: str, most: int | None) -> list[str]:
        """Return the names under a prefix, whatever characters they have; of the first `most` if that is given.

        obstore lists nothing if one of the names is not a valid path. Raise `StoreUnavailable`.
        """
        return await asyncio.to_thread(self._names, prefix, most)

    def _names(self, prefix: str, most: int | None) -> list[str]:
        found: list[str] = []
        with self._one_at_a_time:
            client = self._connected()
            page: Mapping[str, Any] = {"IsTruncated": True}
            while page["IsTruncated"] and (most is None or len(found) < most):
                after = {"StartAfter": found[-1]} if found else {}
                answer = self._call(client.list_objects_v2, Prefix=prefix, **after)
                if isinstance(answer, Answer):
                    raise StoreUnavailable(sentence(answer, self._host, f"the bucket {self._bucket}"))
                page = answer
                found += [one["Key"] for one in page.get("Contents", ())]
        return found

    def _look(self, key: str) -> LockSettings:
        with self._one_at_a_time:
            unread: list[str] = []
            versioning = self._ask("s3:GetBucketVersioning", unread, self._connected().get_bucket_versioning)
            lock = self._ask("s3:GetBucketObjectLockConfiguration", unread, self._client.get_object_lock_configuration)
            head = self._ask("s3:GetObject and s3:GetObjectRetention", unread, self._client.head_object, Key=key)
        return LockSettings(
            versioning=UNREAD if versioning is None else versioning.get("Status", ""),
            locking=UNREAD if lock is None else lock.get("ObjectLockEnabled", ""),
            default=_default(lock or {}),
            stamped=_stamped(head or {}),
            unread=tuple(unread),
        )

    def _try_to_undo(self, key: str) -> Undone | None:
        with self._one_at_a_time:
            client = self._connected()
            canary = self._call(client.head_object, Key=key)
            if isinstance(canary, Answer):
                return None  # hidden, or not visible to us: without its version, a delete would only hide it
            version = {"VersionId": canary["VersionId"]} if "VersionId" in canary else {}
            if (stamp := _stamped(canary)) is not None:
                until = canary["ObjectLockRetainUntilDate"] - timedelta(seconds=1)
                shorter = {"Mode": stamp.mode, "RetainUntilDate": until}
                shortened = self._call(client.put_object_retention, Key=key, Retention=shorter, **version)
                if not isinstance(shortened, Answer):
                    return Undone.SHORTENED
            gone = self._call(client.delete_object, Key=key, **version)
            # A delete marker in its place deletes nothing.
            return None if isinstance(gone, Answer) or gone.get("DeleteMarker") else Undone.DELETED

    def _connected(self) -> Any:
        session = self._session()
        if self._connected_by is not session:
            self._client = self._connect(session)
            self._connected_by = session
        return self._client

    def _connect(self, session: Any) -> Any:
        from botocore.config import Config

        return session.create_client(
            "s3",
            verify=ca_file(),
            endpoint_url=self._endpoint,
            region_name=self._region,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                retries={"total_max_attempts": 1},
                # An endpoint of the user's own rarely has a host name for each bucket; Amazon's has.
                s3={"addressing_style": "path" if self._endpoint else "auto"},
            ),
        )

    def _ask(
        self, right: str, unread: list[str], call: Callable[..., Mapping[str, Any]], **arguments: Any
    ) -> Mapping[str, Any] | None:
        """Return an answer, or None if it may not be read; then the missing right is added to `unread`."""
        answer = self._call(call, **arguments)
        if not isinstance(answer, Answer):
            inner: Mapping[str, Any] = answer.get("ObjectLockConfiguration", answer)
            return inner
        if answer.code == "ObjectLockConfigurationNotFoundError":
            return {}
        where = f"the bucket {self._bucket}"
        unread.append(
            f"{self._host} does not let Curfew see how {where} keeps objects ({answer}): Curfew needs {right}."
        )
        return None

    def _call(self, call: Callable[..., Mapping[str, Any]], **arguments: Any) -> Mapping[str, Any] | Answer:
        """Return S3's answer, even a refusal. Raise `StoreUnavailable` if the refusal is not about the bucket."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        where = f"the bucket {self._bucket}"
        try:
            return call(Bucket=self._bucket, **arguments)
        except ClientError as error:
            said = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            refusal = Answer(status, str(said.get("Code", "")), str(said.get("Message", "")))
            if refusal.code in BY_CODE or (status >= 500 and status != NOT_IMPLEMENTED):
                raise StoreUnavailable(sentence(refusal, self._host, where)) from error
            return refusal
        except NoCredentialsError as error:
            raise StoreUnavailable(NO_CREDENTIALS.format(where=where)) from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"{self._host} cannot be asked about {where}: {error}") from error


def _default(lock: Mapping[str, Any]) -> Lock | None:
    rule = lock.get("Rule", {}).get("DefaultRetention", {})
    # A year counts as 365 days: no year has fewer.
    holds = timedelta(days=rule.get("Days") or 365 * rule.get("Years", 0))
    return Lock(rule["Mode"], holds) if "Mode" in rule and holds else None


def _stamped(head: Mapping[str, Any]) -> Lock | None:
    mode, until, written = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate"), head.get("LastModified")
    return Lock(mode, until - written) if mode and until and written else None
