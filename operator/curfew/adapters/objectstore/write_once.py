"""The proof that a bucket keeps what is written to it: look at how it is set up, then judge what was seen.

Looking is S3's own API, through botocore, in a thread; obstore has no words for it. Judging is pure.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from curfew.adapters.objectstore.errors import BY_CODE, NO_CREDENTIALS, Answer, capitalised, sentence
from curfew.ports import Attestation, Evidence, StoreUnavailable

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 5
NOT_IMPLEMENTED = 501

COMPLIANCE = "COMPLIANCE"
GOVERNANCE = "GOVERNANCE"

ENABLED = "Enabled"
UNREAD = "Unread"
"""It may not be read; which right is missing is in `Seen.unread`."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock's mode, and how long it holds from the moment an object is written."""

    mode: str
    holds: timedelta


@dataclass(frozen=True, slots=True)
class Seen:
    """How a bucket is set up, as far as it let itself be asked."""

    versioning: str = ""  # Enabled, Suspended, "" where it never was, or Unread
    locking: str = ""  # the same of Object Lock
    default: Lock | None = None  # what the bucket puts on new objects
    stamped: Lock | None = None  # what is on the object looked at
    unread: tuple[str, ...] = ()  # sentences: what could not be read, and which right is missing


class S3Bucket:
    """Someone who can be asked how a bucket is set up."""

    def __init__(self, bucket: str, endpoint: str | None, region: str) -> None:
        """Nothing is asked yet, and botocore, which is large, is not imported yet."""
        self._bucket = bucket
        self._endpoint = endpoint
        self._region = region
        self._client: Any = None
        self._one_at_a_time = threading.Lock()

    async def look(self, key: str) -> Seen:
        """Return how the bucket is set up and how the object `key` is locked, or raise `StoreUnavailable`."""
        return await asyncio.to_thread(self._look, key)

    def _look(self, key: str) -> Seen:
        with self._one_at_a_time:
            if self._client is None:
                self._client = self._connect()
            unread: list[str] = []
            versioning = self._ask("s3:GetBucketVersioning", unread, self._client.get_bucket_versioning)
            lock = self._ask("s3:GetBucketObjectLockConfiguration", unread, self._client.get_object_lock_configuration)
            head = self._ask("s3:GetObject and s3:GetObjectRetention", unread, self._client.head_object, Key=key)
        return Seen(
            versioning=UNREAD if versioning is None else versioning.get("Status", ""),
            locking=UNREAD if lock is None else lock.get("ObjectLockEnabled", ""),
            default=_default(lock or {}),
            stamped=_stamped(head or {}),
            unread=tuple(unread),
        )

    def _connect(self) -> Any:
        # Large, and wanted only here.
        import botocore.session
        from botocore.config import Config

        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=self._region,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                retries={"total_max_attempts": 1},
                # An endpoint of one's own rarely has a name for each bucket; Amazon's has.
                s3={"addressing_style": "path" if self._endpoint else "auto"},
            ),
        )

    def _ask(
        self, right: str, unread: list[str], call: Callable[..., Mapping[str, Any]], **arguments: str
    ) -> Mapping[str, Any] | None:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        where = f"the bucket {self._bucket}"
        host = (self._endpoint or "S3").split("://")[-1].rstrip("/")
        try:
            answer = call(Bucket=self._bucket, **arguments)
        except ClientError as error:
            said = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            refusal = Answer(status, str(said.get("Code", "")), str(said.get("Message", "")))
            if refusal.code == "ObjectLockConfigurationNotFoundError":
                return {}
            if refusal.code in BY_CODE or (status >= 500 and status != NOT_IMPLEMENTED):
                raise StoreUnavailable(sentence(refusal, host, where)) from error
            unread.append(f"{host} does not let Curfew see how {where} keeps objects ({refusal}): it needs {right}.")
            return None
        except NoCredentialsError as error:
            raise StoreUnavailable(NO_CREDENTIALS.format(where=where)) from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"{host} cannot be asked about {where}: {error}") from error
        inner: Mapping[str, Any] = answer.get("ObjectLockConfiguration", answer)
        return inner


def _default(lock: Mapping[str, Any]) -> Lock | None:
    rule = lock.get("Rule", {}).get("DefaultRetention", {})
    # Years are counted short: no year has fewer days.
    holds = timedelta(days=rule.get("Days") or 365 * rule.get("Years", 0))
    return Lock(rule["Mode"], holds) if "Mode" in rule and holds else None


def _stamped(head: Mapping[str, Any]) -> Lock | None:
    mode, until, written = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate"), head.get("LastModified")
    return Lock(mode, until - written) if mode and until and written else None


# A stamped date may have been cut to whole seconds, or taken a moment before the object was.
ROUNDING = timedelta(minutes=1)


def judge(seen: Seen | None, *, refused: bool, where: str, at: datetime, retention: timedelta) -> Attestation:
    """Return what is proved by what was seen, and by a second create of the same name having been refused or not.

    `seen` is None where nobody can be asked. It is sufficient only if names are given once and objects are locked for
    at least `retention`.
    """
    evidence = _evidence(seen, refused, retention)
    return Attestation(
        at=at,
        evidence=evidence,
        sufficient=refused and evidence in (Evidence.STAMPED, Evidence.DEFAULT),
        findings=tuple(map(capitalised, _findings(seen, refused, where, retention))),
    )


def _evidence(seen: Seen | None, refused: bool, retention: timedelta) -> Evidence:
    if seen is not None:
        # A lock on the object itself says all, even where the bucket may not be asked; but a bucket's no stands.
        if _holds(seen.stamped, retention) and seen.versioning in (ENABLED, UNREAD):
            return Evidence.STAMPED
        if (
            not seen.stamped
            and seen.versioning == ENABLED
            and seen.locking == ENABLED
            and _holds(seen.default, retention)
        ):
            return Evidence.DEFAULT
    return Evidence.REFUSED if refused else Evidence.NONE


def _holds(lock: Lock | None, retention: timedelta) -> bool:
    return lock is not None and lock.mode in (COMPLIANCE, GOVERNANCE) and lock.holds >= retention - ROUNDING


def _findings(seen: Seen | None, refused: bool, where: str, retention: timedelta) -> Iterator[str]:
    """Yield what is missing or weaker than it could be: what is so, and what would be right."""
    if not refused:
        yield f"An object in {where} could be created twice; two writers would lose records. Use another store."
    if seen is None:
        yield f"How {where} keeps its objects cannot be read; Curfew knows how to ask S3 only."
        return
    yield from seen.unread
    if seen.versioning not in (ENABLED, UNREAD):
        yield f"{where} keeps no versions ({seen.versioning or 'never enabled'}). Enable versioning."
    if seen.locking not in (ENABLED, UNREAD):
        yield f"{where} has no Object Lock. Enable it, with a default retention of {_days(retention)} or more."
    elif seen.locking == ENABLED and seen.default is None:
        yield f"{where} has Object Lock but no default retention: nothing is locked; set {_days(retention)} or more."
    shortest = min((lock for lock in (seen.default, seen.stamped) if lock), key=lambda lock: lock.holds, default=None)
    if shortest and not _holds(shortest, retention):
        yield f"Objects in {where} are locked for {_days(shortest.holds)}; at least {_days(retention)} is asked for."
    if shortest and shortest.mode == GOVERNANCE:
        yield f"Locks in {where} have mode GOVERNANCE, which s3:BypassGovernanceRetention lifts; COMPLIANCE holds."
    if seen.default and not seen.stamped:
        yield f"{where} does not show locks on the objects themselves; its default retention is all to go by."


def _days(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return f"{days:.3g} {'day' if days == 1 else 'days'}"
