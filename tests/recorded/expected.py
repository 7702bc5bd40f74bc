"""What has to be found in the log about a request. It is written by hand, beside the script of each story."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What a report has to say of one request; of people, their first names."""

    outcome: str  # the last phase, `Deleted` or `Open`
    reason: str = ""  # why it ended, in Curfew's word
    requester: str = "alice"
    submitter: str = ""  # if it is not the requester
    decided: str = ""  # "WHO DECISION EFFECT" of each decision, in order, with commas between
    how: str = ""  # how the grant came about; empty if nothing was granted
    approvers: str = ""  # who approved the grant, in order, with spaces between
    ended_by: str = ""  # the event that ended the grant
    findings: str = ""  # the kinds of exception about it, with spaces between

    @property
    def is_granted(self) -> bool:
        """Whether there ever was access."""
        return bool(self.how)


EXPIRED = "grant.expired"
REVOKED = "grant.revoked"

BOB = "bob Approve Counted"
"""What most stories begin with."""


def reviewed(
    outcome: str, reason: str, ended_by: str, decided: str = BOB, approvers: str = "bob", **more: str
) -> Expected:
    """Return what has to be found of a grant that bob, or somebody else, approved."""
    return Expected(outcome, reason, decided=decided, how="review", approvers=approvers, ended_by=ended_by, **more)


def refused(reason: str, **more: str) -> Expected:
    """Return what has to be found of a request that Curfew turned down."""
    return Expected("Failed", reason, **more)
