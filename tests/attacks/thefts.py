"""All that can be tried with the bucket's credentials, each with what comes of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from curfew.audit.segment import partition, seal
from tests.attacks.bucket import FOLDER, Robbed, Theft
from tests.support.logs import a_record, a_signer

TAMPERED: Final = 1
UNREADABLE: Final = 3


def a_fork(robbed: Robbed, key: int) -> tuple[str, bytes]:
    """Return a segment that follows on the last one, sealed with a key of a number."""
    head = robbed.log.head
    at = datetime.now(UTC)
    stored, _ = seal(head, [a_record(99, at=at).line()], at=at, writer="thief", signer=a_signer(seed=key))
    return head.next_name(), stored


def a_day(year: int = 0) -> str:
    """Return the partition of today, or of a day in some year."""
    return partition("main", date(year, 1, 1) if year else datetime.now(UTC).date())


def empty(robbed: Robbed) -> None:
    """Delete every version of everything, with the right to pass governance by."""
    for number in range(len(robbed.stored)):
        robbed.client.delete_object(**robbed.version(number), BypassGovernanceRetention=True)


SOON: Final = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(hours=1)}

REFUSED: Final = [
    Theft(
        "a segment is written over under the condition with which Curfew writes",
        lambda r: r.client.put_object(**r.segment(1), Body=b"x", IfNoneMatch="*"),
        refused="PreconditionFailed",
    ),
    Theft(
        "the version of a segment is deleted",
        lambda r: r.client.delete_object(**r.version(1)),
        refused="AccessDenied",
    ),
    Theft(
        "the version of a segment is deleted with the right to pass governance by, which this is not",
        lambda r: r.client.delete_object(**r.version(1), BypassGovernanceRetention=True),
        refused="AccessDenied",
    ),
    Theft(
        "the version of a segment is deleted in a bucket of governance",
        lambda r: r.client.delete_object(**r.version(1)),
        refused="AccessDenied",
        mode="GOVERNANCE",
    ),
    Theft(
        "the lock of a segment is shortened",
        lambda r: r.client.put_object_retention(**r.version(1), Retention=SOON),
        refused="AccessDenied",
    ),
    Theft(
        "the lock of a segment is made one of governance",
        lambda r: r.client.put_object_retention(**r.version(1), Retention={**SOON, "Mode": "GOVERNANCE"}),
        refused="AccessDenied",
    ),
    Theft(
        "versioning is suspended",
        lambda r: r.client.put_bucket_versioning(Bucket=r.bucket, VersioningConfiguration={"Status": "Suspended"}),
        refused="InvalidBucketState",
    ),
    Theft("the bucket is deleted", lambda r: r.client.delete_bucket(Bucket=r.bucket), refused="BucketNotEmpty"),
]
"""What the server keeps them from: the log is whole and goes on."""

ADDED: Final = [
    Theft("an object beside the log", lambda r: r.client.put_object(Bucket=r.bucket, Key=f"{FOLDER}/x", Body=b"x")),
    Theft(
        "a stray of no name of ours among the segments",
        lambda r: r.put(f"{a_day()}stray"),
        verified=TAMPERED,
        says="does not belong to log main",
    ),
    Theft(
        "an object of a segment's name, far ahead",
        lambda r: r.put(f"{a_day()}{10**11:012d}-{7:016x}.jsonl.zst"),
        verified=TAMPERED,
    ),
    Theft(
        "an object of a segment's name on a day to come",
        lambda r: r.put(f"{a_day(2099)}{10**11:012d}-{7:016x}.jsonl.zst"),
        verified=TAMPERED,
    ),
    Theft(
        "an object of a segment's name on a day long past",
        lambda r: r.put(f"{a_day(2001)}{0:012d}-{7:016x}.jsonl.zst"),
        verified=TAMPERED,
    ),
    Theft(
        "a copy of a segment under another name",
        lambda r: r.put(f"{a_day()}{2:012d}-{7:016x}.jsonl.zst", r.log.objects[r.log.names[2]]),
        verified=TAMPERED,
    ),
    Theft(
        "rubbish in the next place",
        lambda r: r.put(r.log.head.next_name()),
        verified=TAMPERED,
        stops="ChainBroken",
    ),
    Theft(
        "an old segment in the next place",
        lambda r: r.put(r.log.head.next_name(), r.log.objects[r.log.names[1]]),
        verified=TAMPERED,
        stops="ChainBroken",
    ),
    Theft(
        "a segment in the next place that another key has sealed",
        lambda r: r.put(*a_fork(r, 2)),
        verified=TAMPERED,
        stops="ChainBroken",
    ),
]
"""What they can add. It is loud, and a start goes on, unless what lies in the next place could be an altered segment."""

HIDDEN: Final = [
    Theft(
        "another version over a segment",
        lambda r: r.client.put_object(**r.segment(1), Body=b"x"),
        verified=TAMPERED,
        stops="ChainBroken",
    ),
    Theft(
        "another version over the last segment",
        lambda r: r.client.put_object(**r.segment(3), Body=b"x"),
        verified=TAMPERED,
        stops="ChainBroken",
    ),
    Theft(
        "a delete marker over a segment",
        lambda r: r.client.delete_object(**r.segment(1)),
        verified=TAMPERED,
        says="is missing",
        stops="ChainBroken",
    ),
    Theft(
        "a delete marker over the first segment",
        lambda r: r.client.delete_object(**r.segment(0)),
        verified=TAMPERED,
        says="is missing",
        stops="ChainBroken",
    ),
    Theft(
        "a delete marker over the last segment, which only an anchor shows",
        lambda r: r.client.delete_object(**r.segment(3)),
        anchored=TAMPERED,
        stops="SlotTaken",
    ),
    Theft(
        "the version of a segment is deleted with the right to pass governance by",
        lambda r: r.client.delete_object(**r.version(1), BypassGovernanceRetention=True),
        verified=TAMPERED,
        says="is missing",
        stops="ChainBroken",
        mode="GOVERNANCE",
    ),
    Theft(
        "everything is deleted with the right to pass governance by",
        empty,
        verified=UNREADABLE,
        anchored=TAMPERED,
        after=0,
        mode="GOVERNANCE",
    ),
]
"""What they can hide, and with that right take away: it is found, and while it is so nothing is granted."""

DONE: Final = [*ADDED, *HIDDEN]
