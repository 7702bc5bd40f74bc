"""What the properties of a blob say of its lock, and what is said where they cannot be read."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from curfew.adapters.objectstore import azure
from curfew.adapters.objectstore.write_once import judge
from curfew.ports import LockEvidence, StoreUnavailable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
WHERE = "the container c"


def properties(mode: str | None = "locked", holds: timedelta = WEEK) -> dict[str, str]:
    """Return the headers of a blob with a policy."""
    headers = {"last-modified": format_datetime(NOON, usegmt=True)}
    if mode is not None:
        headers |= {azure.MODE: mode, azure.UNTIL: format_datetime(NOON + holds, usegmt=True)}
    return headers


@pytest.mark.parametrize(
    ("headers", "evidence", "finding"),
    [
        pytest.param(properties(), LockEvidence.STAMPED, None, id="locked"),
        pytest.param(properties("Locked"), LockEvidence.STAMPED, None, id="locked, in other letters"),
        pytest.param(
            properties(holds=timedelta(days=6)),
            LockEvidence.REFUSED,
            "Objects in the container c are locked for 6 days; the settings require at least 7 days.",
            id="too short",
        ),
        pytest.param(
            properties("unlocked"),
            LockEvidence.REFUSED,
            "The immutability policy of the blobs in the container c is unlocked, so it can be removed. Lock it.",
            id="a policy that is not locked",
        ),
        pytest.param(
            properties(None),
            LockEvidence.REFUSED,
            "The blobs in the container c show no immutability policy.",
            id="no policy",
        ),
    ],
)
def test_a_lock_counts_where_it_is_locked_and_long_enough(
    headers: dict[str, str], evidence: LockEvidence, finding: str | None
) -> None:
    seen = azure.seen(headers, WHERE)
    attestation = judge(seen, refused=True, undone=None, where=WHERE, at=NOON, retention=WEEK)

    assert attestation.evidence is evidence
    assert attestation.sufficient is (evidence is LockEvidence.STAMPED)
    if finding is None:
        assert attestation.findings == ()
    else:
        assert attestation.findings[0].startswith(finding)


def test_an_address_that_does_not_answer_is_not_repeated() -> None:
    """It is signed: who has it may read the blob."""
    with pytest.raises(StoreUnavailable) as refused:
        azure._headers("http://127.0.0.1:1/c/blob?sig=secret", WHERE)
    assert str(refused.value).startswith("How the container c locks its blobs cannot be read: ")
    assert "secret" not in str(refused.value)
