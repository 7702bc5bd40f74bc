"""What is seen of a bucket, and what it is judged to prove."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from curfew.adapters.objectstore.write_once import ENABLED, UNREAD, Lock, S3Bucket, Seen, judge
from curfew.ports import Evidence, StoreUnavailable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
A_WEEK = Lock("COMPLIANCE", WEEK)

LOCKED = Seen(versioning=ENABLED, locking=ENABLED, default=A_WEEK, stamped=A_WEEK)
UNSTAMPED = replace(LOCKED, stamped=None)

NOT_LET_SEE = "s3.example:9000 does not let Curfew see how the bucket b keeps objects"


@pytest.mark.parametrize(
    ("seen", "evidence", "findings"),
    [
        pytest.param(LOCKED, Evidence.STAMPED, [], id="all is proved"),
        pytest.param(
            UNSTAMPED,
            Evidence.DEFAULT,
            ["The bucket b does not show locks on the objects themselves; its default retention is all to go by."],
            id="no stamp",
        ),
        pytest.param(
            replace(LOCKED, default=None, versioning=UNREAD, locking=UNREAD, unread=("It needs s3:Everything.",)),
            Evidence.STAMPED,
            ["It needs s3:Everything."],
            id="a stamp is proof where the bucket may not be asked",
        ),
        pytest.param(
            replace(UNSTAMPED, locking=UNREAD, default=None, unread=("It needs s3:Everything.",)),
            Evidence.REFUSED,
            ["It needs s3:Everything."],
            id="what may not be read is not proved",
        ),
        pytest.param(
            Seen(),
            Evidence.REFUSED,
            [
                "The bucket b keeps no versions (never enabled). Enable versioning.",
                "The bucket b has no Object Lock. Enable it, with a default retention of 7 days or more.",
            ],
            id="an ordinary bucket",
        ),
        pytest.param(
            replace(LOCKED, versioning="Suspended"),
            Evidence.REFUSED,
            ["The bucket b keeps no versions (Suspended). Enable versioning."],
            id="versioning suspended",
        ),
        pytest.param(
            replace(LOCKED, default=None, stamped=None),
            Evidence.REFUSED,
            ["The bucket b has Object Lock but no default retention: nothing is locked; set 7 days or more."],
            id="no default retention",
        ),
        pytest.param(
            replace(UNSTAMPED, default=Lock("COMPLIANCE", WEEK - timedelta(days=1))),
            Evidence.REFUSED,
            [
                "Objects in the bucket b are locked for 6 days; at least 7 days is asked for.",
                "The bucket b does not show locks on the objects themselves; its default retention is all to go by.",
            ],
            id="default too short",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("COMPLIANCE", timedelta(hours=12))),
            Evidence.REFUSED,
            ["Objects in the bucket b are locked for 0.5 days; at least 7 days is asked for."],
            id="the stamp says less than the default",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("COMPLIANCE", WEEK - timedelta(seconds=1))),
            Evidence.STAMPED,
            [],
            id="a date cut to whole seconds is long enough",
        ),
        pytest.param(
            replace(LOCKED, default=Lock("GOVERNANCE", WEEK), stamped=Lock("GOVERNANCE", WEEK)),
            Evidence.STAMPED,
            ["Locks in the bucket b have mode GOVERNANCE, which s3:BypassGovernanceRetention lifts; COMPLIANCE holds."],
            id="governance holds, but not against everybody",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("SOMETHING", WEEK)), Evidence.REFUSED, None, id="a mode that nobody knows"
        ),
        pytest.param(
            None,
            Evidence.REFUSED,
            ["How the bucket b keeps its objects cannot be read; Curfew knows how to ask S3 only."],
            id="nobody to ask",
        ),
    ],
)
def test_evidence_comes_in_grades(seen: Seen | None, evidence: Evidence, findings: list[str] | None) -> None:
    attestation = judge(seen, refused=True, where="the bucket b", at=NOON, retention=WEEK)

    assert attestation.evidence is evidence
    assert attestation.sufficient is (evidence in (Evidence.STAMPED, Evidence.DEFAULT))
    assert attestation.at == NOON
    if findings is not None:
        assert list(attestation.findings) == findings


@pytest.mark.parametrize(
    ("seen", "evidence"), [(LOCKED, Evidence.STAMPED), (Seen(), Evidence.NONE), (None, Evidence.NONE)]
)
def test_a_name_given_twice_is_never_enough(seen: Seen | None, evidence: Evidence) -> None:
    attestation = judge(seen, refused=False, where="the bucket b", at=NOON, retention=WEEK)

    assert attestation.evidence is evidence
    assert not attestation.sufficient
    assert attestation.findings[0] == (
        "An object in the bucket b could be created twice; two writers would lose records. Use another store."
    )


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

    def get_bucket_versioning(self, **_: str) -> Mapping[str, Any]:
        """Answer for versioning."""
        return self._say(self.versioning)

    def get_object_lock_configuration(self, **_: str) -> Mapping[str, Any]:
        """Answer for Object Lock."""
        return self._say(self.lock)

    def head_object(self, **_: str) -> Mapping[str, Any]:
        """Answer for the sample."""
        return self._say(self.head)

    def _say(self, answer: Any) -> Mapping[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "ResponseMetadata": {}}


async def look(s3: FakeS3) -> Seen:
    """Return what is seen of a bucket that answers like that."""
    bucket = S3Bucket("b", "http://s3.example:9000", "us-east-1")
    bucket._client = s3
    return await bucket.look("key")


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
                unread=(f"{NOT_LET_SEE} (403 AccessDenied: Access Denied): it needs s3:GetBucketVersioning.",),
            ),
            id="may not be read",
        ),
        pytest.param(
            FakeS3(lock=refusal("NotImplemented", 501), head={}),
            replace(
                UNSTAMPED,
                locking=UNREAD,
                default=None,
                unread=(f"{NOT_LET_SEE} (501 NotImplemented): it needs s3:GetBucketObjectLockConfiguration.",),
            ),
            id="a server that has never heard of it",
        ),
    ],
)
async def test_a_bucket_is_seen_as_it_is(s3: FakeS3, seen: Seen) -> None:
    assert await look(s3) == seen


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
        await look(FakeS3(versioning=error))
