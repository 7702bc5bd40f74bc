"""How S3's answers are read: how a bucket is set up, and what could be done to the canary."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from curfew.adapters.objectstore.s3 import S3Bucket
from curfew.adapters.objectstore.write_once import ENABLED, UNREAD, Lock, LockSettings, Undone
from curfew.ports import StoreUnavailable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
A_WEEK = Lock("COMPLIANCE", WEEK)

LOCKED = LockSettings(versioning=ENABLED, locking=ENABLED, default=A_WEEK, stamped=A_WEEK)
UNSTAMPED = replace(LOCKED, stamped=None)

NOT_LET_SEE = "s3.example:9000 does not let Curfew see how the bucket b keeps objects"


def refusal(code: str, status: int, message: str = "") -> ClientError:
    """Return the error of an answer that is a refusal."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


@dataclass
class FakeS3:
    """A client of S3 whose answers are given; an answer that is an error is raised."""

    versioning: Any = field(default_factory=lambda: {"Status": "Enabled"})
    lock: Any = field(
        default_factory=lambda: {
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 7}},
            }
        }
    )
    head: Any = field(
        default_factory=lambda: {
            "LastModified": NOON,
            "ObjectLockMode": "COMPLIANCE",
            "ObjectLockRetainUntilDate": NOON + WEEK,
        }
    )

    shorten: Any = field(default_factory=lambda: refusal("AccessDenied", 403))
    delete: Any = field(default_factory=lambda: refusal("AccessDenied", 403))
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def get_bucket_versioning(self, **_: str) -> Mapping[str, Any]:
        """Answer for versioning."""
        return self._say(self.versioning)

    def get_object_lock_configuration(self, **_: str) -> Mapping[str, Any]:
        """Answer for Object Lock."""
        return self._say(self.lock)

    def head_object(self, **_: str) -> Mapping[str, Any]:
        """Answer for the sample."""
        return self._say(self.head)

    def put_object_retention(self, **asked: Any) -> Mapping[str, Any]:
        """Answer an attempt to shorten a lock."""
        self.asked.append(asked)
        return self._say(self.shorten)

    def delete_object(self, **asked: Any) -> Mapping[str, Any]:
        """Answer an attempt to delete."""
        self.asked.append(asked)
        return self._say(self.delete)

    def _say(self, answer: Any) -> Mapping[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "ResponseMetadata": {}}


def answering(s3: FakeS3) -> S3Bucket:
    """Return a bucket that answers like that."""
    bucket = S3Bucket("b", "http://s3.example:9000", "us-east-1", lambda: s3)
    bucket._connect = lambda session: session  # type: ignore[method-assign]  # it is the client
    return bucket


@pytest.mark.parametrize(
    ("s3", "seen"),
    [
        pytest.param(FakeS3(), LOCKED, id="locked"),
        pytest.param(FakeS3(head={}), UNSTAMPED, id="not stamped"),
        pytest.param(FakeS3(versioning={}), replace(LOCKED, versioning=""), id="no versioning"),
        pytest.param(
            FakeS3(lock=refusal("ObjectLockConfigurationNotFoundError", 404), head={}),
            replace(LOCKED, locking="", default=None, stamped=None),
            id="no lock",
        ),
        pytest.param(
            FakeS3(lock={"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {}}}),
            replace(LOCKED, default=None),
            id="no default retention",
        ),
        pytest.param(
            FakeS3(
                lock={
                    "ObjectLockConfiguration": {
                        "ObjectLockEnabled": "Enabled",
                        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 2}},
                    }
                }
            ),
            replace(LOCKED, default=Lock("GOVERNANCE", timedelta(days=730))),
            id="years",
        ),
        pytest.param(
            FakeS3(versioning=refusal("AccessDenied", 403, "Access Denied.")),
            replace(
                LOCKED,
                versioning=UNREAD,
                unread=(f"{NOT_LET_SEE} (403 AccessDenied: Access Denied): Curfew needs s3:GetBucketVersioning.",),
            ),
            id="may not be read",
        ),
        pytest.param(
            FakeS3(lock=refusal("NotImplemented", 501), head={}),
            replace(
                UNSTAMPED,
                locking=UNREAD,
                default=None,
                unread=(f"{NOT_LET_SEE} (501 NotImplemented): Curfew needs s3:GetBucketObjectLockConfiguration.",),
            ),
            id="a server that has never heard of it",
        ),
    ],
)
async def test_a_bucket_is_seen_as_it_is(s3: FakeS3, seen: LockSettings) -> None:
    assert await answering(s3).look("key") == seen


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(refusal("NoSuchBucket", 404), r"^The bucket b does not exist \(404 NoSuchBucket\)\.", id="gone"),
        pytest.param(refusal("SignatureDoesNotMatch", 403), "does not accept the credentials", id="credentials"),
        pytest.param(refusal("SlowDown", 503), "answered for the bucket b with 503 SlowDown", id="busy"),
        pytest.param(NoCredentialsError(), "^There are no credentials for the bucket b", id="none"),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://s3.example:9000/b"),
            r"^s3\.example:9000 cannot be asked about the bucket b: Could not connect",
            id="no answer",
        ),
    ],
)
async def test_a_bucket_that_cannot_be_asked_proves_nothing_either_way(error: Exception, sentence: str) -> None:
    with pytest.raises(StoreUnavailable, match=sentence):
        await answering(FakeS3(versioning=error)).look("key")


STAMP = {"LastModified": NOON, "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": NOON + WEEK}


@pytest.mark.parametrize(
    ("s3", "undone"),
    [
        pytest.param(FakeS3(head={**STAMP, "VersionId": "7"}), None, id="all is refused"),
        pytest.param(FakeS3(head={**STAMP, "VersionId": "7"}, shorten={}), Undone.SHORTENED, id="a lock is shortened"),
        pytest.param(
            FakeS3(head={"VersionId": "7"}, shorten={}), None, id="no lock is shown, so there is none to shorten"
        ),
        pytest.param(FakeS3(head={"VersionId": "7"}, delete={}), Undone.DELETED, id="a version is deleted"),
        pytest.param(FakeS3(head={}, delete={}), Undone.DELETED, id="an object without versions is deleted"),
        pytest.param(FakeS3(head={}, delete={"DeleteMarker": True}), None, id="a marker hides it, and deletes nothing"),
        pytest.param(FakeS3(head=refusal("403", 403)), None, id="it may not be looked at"),
        pytest.param(FakeS3(head=refusal("404", 404)), None, id="somebody has hidden it"),
    ],
)
async def test_what_can_be_done_to_the_canary_is_found(s3: FakeS3, undone: Undone | None) -> None:
    assert await answering(s3).try_to_undo("canary") is undone


async def test_a_lock_is_tried_to_be_shortened_by_a_second_and_the_version_to_be_deleted() -> None:
    s3 = FakeS3(head={**STAMP, "VersionId": "7"})
    await answering(s3).try_to_undo("canary")

    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": NOON + WEEK - timedelta(seconds=1)}
    canary = {"Bucket": "b", "Key": "canary", "VersionId": "7"}
    assert s3.asked == [{**canary, "Retention": sooner}, canary]


async def test_a_server_that_does_not_answer_an_attempt_has_refused_nothing() -> None:
    with pytest.raises(StoreUnavailable):
        await answering(FakeS3(head={"VersionId": "7"}, delete=refusal("SlowDown", 503))).try_to_undo("canary")
