"""The courses that a request's life can take: what people do, and everything that has to come of it.

A course is walked at any pace. What it must leave behind does not depend on the pace, nor on how often the operator dies on
the way.
"""

import random
import uuid
from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from curfew.api.times import format_time
from tests.integration.operator.people import People
from tests.integration.operator.place import FINAL, Asked, Place, now

A_MINUTE: Final = 75.0
"""Seconds within which a grant of one minute is over, with what comes before and after it."""


@dataclass
class Walk:
    """One request on one course."""

    course: "Course"
    place: Place
    pace: random.Random | None = None  # None: as fast as it goes
    longest_pause: float = 0.0
    start_in: timedelta = timedelta(seconds=5)  # what `waits for its start` waits
    asked: Asked = field(init=False)

    @property
    def people(self) -> People:
        """Return who is there."""
        return self.place.people

    async def ask(self, policy: str = "debug", **spec: Any) -> Asked:
        """Ask as somebody who may."""
        by = self.people.alice if self.pace is None else self.pace.choice([self.people.alice, self.people.carol])
        self.asked = await self.place.ask(by, policy, **spec)
        return self.asked

    async def phase(self, *phases: str, seconds: float = A_MINUTE) -> None:
        """Wait for a phase, and then as long as people take."""
        await self.asked.phase(*phases, seconds=seconds)
        if self.pace is not None:
            # Not for something to happen: people take their time, and the operator dies meanwhile.
            await sleep(self.pace.uniform(0, self.longest_pause))

    async def decide(self, decision: str = "Approve", **more: str) -> None:
        """Decide as who may: the requester cancels, dave is security, bob does the rest."""
        by = self.people.bob
        if more.get("stage") == "security":
            by = self.people.dave
        if decision == "Cancel":
            by = self.requester
        (await self.asked.decide(by, decision, **more)).done()

    @property
    def requester(self) -> Any:
        """Return who asked."""
        people = (self.people.alice, self.people.carol)
        return next(person for person in people if person.name == self.asked.body["spec"]["requester"])

    async def take(self) -> "Walk":
        """Walk the course to its end."""
        await self.course.steps(self)
        if self.course.phase is not None:
            await self.asked.phase(*FINAL, seconds=A_MINUTE + self.start_in.total_seconds())
        return self


@dataclass(frozen=True, slots=True)
class Course:
    """What people do, and what must come of it."""

    name: str
    steps: Callable[[Walk], Awaitable[None]]
    phase: str | None  # the last one; None where the request is deleted
    reason: str
    records: (
        str  # the events of its story, in order, without "request.created", "request.accepted" and "request.closed"
    )
    events: str  # the reasons of the Kubernetes Events about it

    def __str__(self) -> str:
        """Return the name, which names the test."""
        return self.name

    @property
    def story(self) -> list[str]:
        """Return the events of its story in the log, in order."""
        begin = ["request.created"] if self.reason == "DurationTooLong" else ["request.created", "request.accepted"]
        return [*begin, *self.records.split(), "request.closed"]

    @property
    def is_granted(self) -> bool:
        """Tell whether there is ever a binding."""
        return "grant.activated" in self.records


async def runs_its_time(walk: Walk) -> None:
    """Asked, approved, active until its end."""
    await walk.ask()
    await walk.phase("Pending")
    await walk.decide()


async def waits_for_its_start(walk: Walk) -> None:
    """Approved before it may begin."""
    await walk.ask(notBefore=format_time((now() + walk.start_in).replace(microsecond=0)))
    await walk.phase("Pending")
    await walk.decide()


async def is_active(walk: Walk) -> None:
    """Active for so long that its end comes after what people do, however often the operator dies before."""
    await walk.ask(duration="10m")
    await walk.phase("Pending")
    await walk.decide()
    await walk.phase("Active")


async def is_revoked(walk: Walk) -> None:
    """Ended early by an approver."""
    await is_active(walk)
    await walk.decide("Revoke")


async def is_given_back(walk: Walk) -> None:
    """Ended early by who has it."""
    await is_active(walk)
    await walk.decide("Cancel")


async def is_denied(walk: Walk) -> None:
    """An approver says no."""
    await walk.ask()
    await walk.phase("Pending")
    await walk.decide("Deny", reason="not during the freeze")


async def is_cancelled(walk: Walk) -> None:
    """Withdrawn before anybody decided."""
    await walk.ask()
    await walk.phase("Pending")
    await walk.decide("Cancel")


async def is_cancelled_before_its_start(walk: Walk) -> None:
    """Withdrawn when it was approved."""
    await walk.ask(notBefore=format_time((now() + timedelta(hours=1)).replace(microsecond=0)))
    await walk.phase("Pending")
    await walk.decide()
    await walk.phase("Approved")
    await walk.decide("Cancel")


async def is_revoked_before_its_start(walk: Walk) -> None:
    """An approver ends what has not begun."""
    await walk.ask(notBefore=format_time((now() + timedelta(hours=1)).replace(microsecond=0)))
    await walk.phase("Pending")
    await walk.decide()
    await walk.phase("Approved")
    await walk.decide("Revoke")


async def times_out(walk: Walk) -> None:
    """Nobody decides."""
    await walk.ask("hurried")


async def is_automatic(walk: Walk) -> None:
    """Nobody has to decide."""
    await walk.ask("automatic")


async def takes_two(walk: Walk) -> None:
    """Two stages, two people; then it is ended, because its time is no news."""
    await walk.ask("staged", duration="10m")
    await walk.phase("Pending")
    await walk.decide(stage="owners")
    await walk.asked.until(lambda: walk.asked.status.get("approvals") == "1/2", "one approval of two", A_MINUTE)
    assert walk.asked.status["phase"] == "Pending"
    await walk.decide(stage="security")
    await walk.phase("Active")
    await walk.decide("Revoke")


async def is_deleted_while_pending(walk: Walk) -> None:
    """Deleted before anybody decided."""
    await walk.ask()
    await walk.phase("Pending")
    await walk.asked.delete(walk.requester)


async def is_deleted_before_its_start(walk: Walk) -> None:
    """Deleted when it was approved and had not begun."""
    await walk.ask(notBefore=format_time((now() + timedelta(hours=1)).replace(microsecond=0)))
    await walk.phase("Pending")
    await walk.decide()
    await walk.phase("Approved")
    await walk.asked.delete(walk.requester)


async def is_deleted_while_active(walk: Walk) -> None:
    """Deleted with its access."""
    await is_active(walk)
    await walk.asked.delete(walk.requester)


async def asks_too_much(walk: Walk) -> None:
    """Longer than the policy allows. The policy comes after the request, so that admission has nothing to judge it by."""
    policy = f"late-{uuid.uuid4().hex[:8]}"
    await walk.ask(policy, duration="9h")
    await walk.place.apply(walk.place.policy(policy))


RUNS: Final = Course(
    "runs its time",
    runs_its_time,
    "Expired",
    "DurationElapsed",
    "review.submitted review.approved grant.intended grant.activated grant.expired",
    "Accepted Granted Expired",
)
WAITS: Final = Course(
    "waits for its start",
    waits_for_its_start,
    "Expired",
    "DurationElapsed",
    "review.submitted review.approved grant.intended grant.activated grant.expired",
    "Accepted Approved Granted Expired",
)
REVOKED: Final = Course(
    "is revoked",
    is_revoked,
    "Revoked",
    "RevokedByApprover",
    "review.submitted review.approved grant.intended grant.activated review.submitted grant.revoked",
    "Accepted Granted Revoked",
)
GIVEN_BACK: Final = Course(
    "is given back",
    is_given_back,
    "Revoked",
    "ReleasedByRequester",
    "review.submitted review.approved grant.intended grant.activated review.submitted grant.revoked",
    "Accepted Granted Revoked",
)
DENIED: Final = Course(
    "is denied",
    is_denied,
    "Denied",
    "DeniedByApprover",
    "review.submitted review.denied",
    "Accepted Denied",
)
CANCELLED: Final = Course(
    "is cancelled",
    is_cancelled,
    "Cancelled",
    "CancelledByRequester",
    "review.submitted request.cancelled",
    "Accepted Cancelled",
)
CANCELLED_EARLY: Final = Course(
    "is cancelled before its start",
    is_cancelled_before_its_start,
    "Cancelled",
    "CancelledByRequester",
    "review.submitted review.approved review.submitted request.cancelled",
    "Accepted Approved Cancelled",
)
REVOKED_EARLY: Final = Course(
    "is revoked before its start",
    is_revoked_before_its_start,
    "Revoked",
    "RevokedByApprover",
    "review.submitted review.approved review.submitted grant.revoked",
    "Accepted Approved Revoked",
)
TIMED_OUT: Final = Course("times out", times_out, "TimedOut", "NobodyDecided", "request.timed_out", "Accepted TimedOut")
AUTOMATIC: Final = Course(
    "is automatic",
    is_automatic,
    "Expired",
    "DurationElapsed",
    "review.auto_approved grant.intended grant.activated grant.expired",
    "Accepted Granted Expired",
)
STAGED: Final = Course(
    "takes two",
    takes_two,
    "Revoked",
    "RevokedByApprover",
    "review.submitted review.submitted review.approved grant.intended grant.activated review.submitted grant.revoked",
    "Accepted ReviewSubmitted Granted Revoked",
)
DELETED_PENDING: Final = Course(
    "is deleted while pending",
    is_deleted_while_pending,
    None,
    "RequestDeleted",
    "request.deleted",
    "Accepted",
)
DELETED_EARLY: Final = Course(
    "is deleted before its start",
    is_deleted_before_its_start,
    None,
    "RequestDeleted",
    "review.submitted review.approved request.deleted",
    "Accepted Approved",
)
DELETED_ACTIVE: Final = Course(
    "is deleted while active",
    is_deleted_while_active,
    None,
    "RequestDeleted",
    "review.submitted review.approved grant.intended grant.activated request.deleted grant.revoked",
    "Accepted Granted",
)
TOO_LONG: Final = Course("asks too much", asks_too_much, "Failed", "DurationTooLong", "request.rejected", "Rejected")

COURSES: Final = (
    RUNS,
    WAITS,
    REVOKED,
    GIVEN_BACK,
    DENIED,
    CANCELLED,
    CANCELLED_EARLY,
    REVOKED_EARLY,
    TIMED_OUT,
    AUTOMATIC,
    STAGED,
    DELETED_PENDING,
    DELETED_EARLY,
    DELETED_ACTIVE,
    TOO_LONG,
)
"""All of them."""
