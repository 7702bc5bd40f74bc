"""What is seen of a bucket and tried in it, and what that is judged to prove."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from curfew.adapters.objectstore.write_once import ENABLED, UNREAD, Lock, LockSettings, Undone, judge
from curfew.ports import LockEvidence

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
A_WEEK = Lock("COMPLIANCE", WEEK)

LOCKED = LockSettings(versioning=ENABLED, locking=ENABLED, default=A_WEEK, stamped=A_WEEK)
UNSTAMPED = replace(LOCKED, stamped=None)


@pytest.mark.parametrize(
    ("seen", "evidence", "findings"),
    [
        pytest.param(LOCKED, LockEvidence.STAMPED, [], id="all is proved"),
        pytest.param(
            UNSTAMPED,
            LockEvidence.DEFAULT,
            [
                "The bucket b does not show locks on the objects themselves, so Curfew can judge only its default retention."
            ],
            id="no stamp",
        ),
        pytest.param(
            replace(LOCKED, default=None, versioning=UNREAD, locking=UNREAD, unread=("It needs s3:Everything.",)),
            LockEvidence.STAMPED,
            ["It needs s3:Everything."],
            id="a stamp is proof where the bucket may not be asked",
        ),
        pytest.param(
            replace(UNSTAMPED, locking=UNREAD, default=None, unread=("It needs s3:Everything.",)),
            LockEvidence.REFUSED,
            ["It needs s3:Everything."],
            id="what may not be read is not proved",
        ),
        pytest.param(
            LockSettings(),
            LockEvidence.REFUSED,
            [
                "The bucket b keeps no versions (never enabled). Enable versioning.",
                "The bucket b has no Object Lock. Enable it, with a default retention of 7 days or more.",
            ],
            id="an ordinary bucket",
        ),
        pytest.param(
            replace(LOCKED, versioning="Suspended"),
            LockEvidence.REFUSED,
            ["The bucket b keeps no versions (Suspended). Enable versioning."],
            id="versioning suspended",
        ),
        pytest.param(
            replace(LOCKED, default=None, stamped=None),
            LockEvidence.REFUSED,
            ["The bucket b has Object Lock but no default retention: nothing is locked; set 7 days or more."],
            id="no default retention",
        ),
        pytest.param(
            replace(LOCKED, default=None),
            LockEvidence.REFUSED,
            ["The bucket b has Object Lock but no default retention: nothing is locked; set 7 days or more."],
            id="default retention cleared after the sample was locked",
        ),
        pytest.param(
            replace(LOCKED, default=Lock("COMPLIANCE", WEEK - timedelta(days=1))),
            LockEvidence.REFUSED,
            ["Objects in the bucket b are locked for 6 days; the settings require at least 7 days."],
            id="default retention shortened after the sample was locked",
        ),
        pytest.param(
            replace(UNSTAMPED, default=Lock("COMPLIANCE", WEEK - timedelta(days=1))),
            LockEvidence.REFUSED,
            [
                "Objects in the bucket b are locked for 6 days; the settings require at least 7 days.",
                "The bucket b does not show locks on the objects themselves, so Curfew can judge only its default retention.",
            ],
            id="default too short",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("COMPLIANCE", timedelta(hours=12))),
            LockEvidence.REFUSED,
            ["Objects in the bucket b are locked for 0.5 days; the settings require at least 7 days."],
            id="the stamp says less than the default",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("COMPLIANCE", WEEK - timedelta(seconds=1))),
            LockEvidence.STAMPED,
            [],
            id="a date cut to whole seconds is long enough",
        ),
        pytest.param(
            replace(LOCKED, default=Lock("GOVERNANCE", WEEK), stamped=Lock("GOVERNANCE", WEEK)),
            LockEvidence.STAMPED,
            [
                "Locks in the bucket b have mode GOVERNANCE, which s3:BypassGovernanceRetention lifts. Use mode COMPLIANCE."
            ],
            id="governance holds, but not against everybody",
        ),
        pytest.param(
            replace(LOCKED, stamped=Lock("SOMETHING", WEEK)), LockEvidence.REFUSED, None, id="a mode that nobody knows"
        ),
        pytest.param(
            None,
            LockEvidence.REFUSED,
            ["How the bucket b locks its objects cannot be read; Curfew can read that only from S3 and Azure."],
            id="nobody to ask",
        ),
    ],
)
def test_evidence_comes_in_grades(
    seen: LockSettings | None, evidence: LockEvidence, findings: list[str] | None
) -> None:
    attestation = judge(seen, refused=True, undone=None, where="the bucket b", at=NOON, retention=WEEK)

    assert attestation.evidence is evidence
    assert attestation.sufficient is (evidence in (LockEvidence.STAMPED, LockEvidence.DEFAULT))
    assert attestation.at == NOON
    if findings is not None:
        assert list(attestation.findings) == findings


@pytest.mark.parametrize(
    ("seen", "evidence"),
    [(LOCKED, LockEvidence.STAMPED), (LockSettings(), LockEvidence.NONE), (None, LockEvidence.NONE)],
)
def test_a_name_given_twice_is_never_enough(seen: LockSettings | None, evidence: LockEvidence) -> None:
    attestation = judge(seen, refused=False, undone=None, where="the bucket b", at=NOON, retention=WEEK)

    assert attestation.evidence is evidence
    assert not attestation.sufficient
    assert attestation.findings[0] == (
        "An object in the bucket b could be created twice, so two writers would lose records. Use another store."
    )


@pytest.mark.parametrize("seen", [LOCKED, UNSTAMPED, None])
@pytest.mark.parametrize("undone", Undone)
def test_locks_that_are_shown_and_do_not_hold_prove_nothing(seen: LockSettings | None, undone: Undone) -> None:
    attestation = judge(seen, refused=True, undone=undone, where="the bucket b", at=NOON, retention=WEEK)

    assert (attestation.evidence, attestation.sufficient) == (LockEvidence.REFUSED, False)
    assert attestation.findings[0] == (
        f"An object in the bucket b could be {undone}: what is written there can be removed."
    )
