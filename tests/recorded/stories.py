"""The stories that are told at the same time: what people do, and by hand what a report has to show of it.

People use their own credentials. Each story has a name, and a request.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.api.times import format_time
from tests.integration.operator import courses
from tests.integration.operator.courses import A_MINUTE, Course, Walk
from tests.integration.operator.people import Answer, Body
from tests.integration.operator.place import SOON, Asked, Place, now, rule
from tests.integration.operator.tampering import a_binding
from tests.recorded.expected import BOB, EXPIRED, REVOKED, Expected, refused, reviewed

OF_COURSES: Final[Mapping[str, Expected]] = {
    courses.RUNS.name: reviewed("Expired", "DurationElapsed", EXPIRED),
    courses.WAITS.name: reviewed("Expired", "DurationElapsed", EXPIRED),
    courses.REVOKED.name: reviewed("Revoked", "RevokedByApprover", REVOKED, f"{BOB}, bob Revoke TookEffect"),
    courses.GIVEN_BACK.name: reviewed("Revoked", "ReleasedByRequester", REVOKED, f"{BOB}, alice Cancel TookEffect"),
    courses.DENIED.name: Expected("Denied", "DeniedByApprover", decided="bob Deny TookEffect"),
    courses.CANCELLED.name: Expected("Cancelled", "CancelledByRequester", decided="alice Cancel TookEffect"),
    courses.CANCELLED_EARLY.name: Expected(
        "Cancelled", "CancelledByRequester", decided=f"{BOB}, alice Cancel TookEffect"
    ),
    courses.REVOKED_EARLY.name: Expected("Revoked", "RevokedByApprover", decided=f"{BOB}, bob Revoke TookEffect"),
    courses.TIMED_OUT.name: Expected("TimedOut", "NobodyDecided"),
    courses.AUTOMATIC.name: Expected("Expired", "DurationElapsed", how="automatic", ended_by=EXPIRED),
    courses.STAGED.name: reviewed(
        "Revoked", "RevokedByApprover", REVOKED, f"{BOB}, dave Approve Counted, bob Revoke TookEffect", "bob dave"
    ),
    courses.DELETED_PENDING.name: Expected("Deleted", "RequestDeleted"),
    courses.DELETED_EARLY.name: Expected("Deleted", "RequestDeleted", decided=BOB),
    courses.DELETED_ACTIVE.name: reviewed("Deleted", "RequestDeleted", REVOKED),
    courses.TOO_LONG.name: refused("DurationTooLong"),
}
"""What has to be found of each course (tests/integration/operator/courses.py), by its name."""


@dataclass(frozen=True, slots=True)
class Story:
    """One request: what people do about it, and what has to be found of it."""

    name: str
    steps: Callable[[Place], Awaitable[Asked]]
    expected: Expected


# --- with everything in its place


async def approved(place: Place, policy: str, start: datetime) -> Asked:
    """Have a request that is approved and waits for its start."""
    asked = await place.pending(place.people.alice, policy, notBefore=format_time(start))
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Approved")
    return asked


async def granted(place: Place, policy: str = "debug", **spec: Any) -> Asked:
    """Have a request of alice's that bob approved and that is active."""
    asked = await place.pending(place.people.alice, policy, **spec)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")
    return asked


async def denied_after_an_approval(place: Place) -> Asked:
    """One of two approvers agrees, the other says no."""
    asked = await place.pending(place.people.alice, "staged")
    (await asked.decide(place.people.bob, stage="owners")).done()
    await asked.until(lambda: asked.status.get("approvals") == "1/2", "one approval of two")
    (await asked.decide(place.people.dave, "Deny", stage="security", reason="not on a Friday")).done()
    return await closed(asked)


async def cancelled_after_an_approval(place: Place) -> Asked:
    """One of two approvers agrees, and alice no longer needs it."""
    asked = await place.pending(place.people.alice, "staged")
    (await asked.decide(place.people.bob, stage="owners")).done()
    await asked.until(lambda: asked.status.get("approvals") == "1/2", "one approval of two")
    (await asked.decide(place.people.alice, "Cancel")).done()
    return await closed(asked)


async def times_out_after_an_approval(place: Place) -> Asked:
    """One of two approvers agrees, the other never comes."""
    stages = [{"name": "owners"}, {"name": "security"}]
    await place.apply(place.policy("two-soon", decideWithin="1m", approval={"mode": "Review", "stages": stages}))
    asked = await place.pending(place.people.alice, "two-soon")
    (await asked.decide(place.people.bob, stage="owners")).done()
    return await closed(asked, A_MINUTE)


async def two_at_once(place: Place) -> Asked:
    """Both approvers agree in one breath: Curfew may see both at once."""
    asked = await place.pending(place.people.alice, "staged")
    (await asked.decide(place.people.bob, stage="owners")).done()
    (await asked.decide(place.people.dave, stage="security")).done()
    await asked.phase("Active")
    (await asked.decide(place.people.dave, "Revoke", reason="done early")).done()
    return await closed(asked)


async def for_an_unknown_stage(place: Place) -> Asked:
    """The API server refuses an approval for a stage that the policy does not have, so no log has it; alice gives up."""
    asked = await place.pending(place.people.alice, "staged")
    assert not (await asked.decide(place.people.bob, stage="ops")).is_ok
    (await asked.decide(place.people.alice, "Cancel")).done()
    return await closed(asked)


async def breaks_the_glass(place: Place, name: str) -> Asked:
    """Have access that alice took without asking, and gave back."""
    await place.apply(place.policy(name, approval={"mode": "BreakGlass"}))
    asked = await place.ask(place.people.alice, name)
    await asked.phase("Active")
    (await asked.decide(place.people.alice, "Cancel")).done()
    await asked.phase("Revoked")
    return asked


async def glass_with_review(place: Place) -> Asked:
    """The glass is broken, and bob looks at it afterwards."""
    asked = await breaks_the_glass(place, "glass-reviewed")
    (await asked.decide(place.people.bob, "Review", reason="it was needed")).done()
    return await closed(asked)


async def glass_without_review(place: Place) -> Asked:
    """The glass is broken, and nobody has looked at it yet."""
    return await breaks_the_glass(place, "glass-owed")


async def glass_deleted_unreviewed(place: Place) -> Asked:
    """The glass is broken, and the request deleted before anybody has looked at it."""
    asked = await breaks_the_glass(place, "glass-deleted")
    await asked.delete(place.people.alice)
    return asked


async def on_behalf(place: Place) -> Asked:
    """Carol asks for alice."""
    await place.apply(*place.role("behalf", [rule("accesspolicies", "request-on-behalf")], [place.people.carol.name]))
    body = place.request(place.people.carol, "debug")
    body["spec"]["requester"] = place.people.alice.name
    asked = Asked(place, await _allowed(lambda: place.people.carol.post(place.path, body)))
    await asked.phase("Pending")
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")
    (await asked.decide(place.people.carol, "Cancel")).done()
    return await closed(asked)


async def binding_deleted(place: Place) -> Asked:
    """An administrator deletes the binding."""
    asked = await granted(place)
    await place.kubectl("delete", "rolebinding", f"curfew-{asked.uid}", user="admin")
    return await closed(asked)


async def name_is_taken(place: Place) -> Asked:
    """A RoleBinding that Curfew did not make has the name of the grant."""
    asked = await place.pending(place.people.alice)
    await place.apply(a_binding(place, f"curfew-{asked.uid}"))
    (await asked.decide(place.people.bob)).done()
    return await closed(asked)


async def deleted_afterwards(place: Place) -> Asked:
    """Alice deletes her request when its story is over."""
    asked = await granted(place)
    (await asked.decide(place.people.bob, "Revoke")).done()
    await closed(asked)
    await asked.delete(place.people.alice)
    return asked


async def policy_changed(place: Place) -> Asked:
    """The policy asks for less than when the request was made."""
    await place.apply(place.policy("loosened", maxDuration="1h"))
    asked = await place.pending(place.people.alice, "loosened")
    await place.apply(place.policy("loosened", maxDuration="3h"))
    return await closed(asked)


async def policy_deleted(place: Place) -> Asked:
    """The policy goes while people think about it."""
    await place.apply(place.policy("short-lived"))
    asked = await place.pending(place.people.alice, "short-lived")
    await place.kubectl("delete", "accesspolicy", "short-lived", user="admin")
    return await closed(asked)


async def policy_deleted_during_the_grant(place: Place) -> Asked:
    """The policy goes while alice has access: it stays until bob ends it."""
    await place.apply(place.policy("withdrawn"))
    asked = await granted(place, "withdrawn")
    await place.kubectl("delete", "accesspolicy", "withdrawn", user="admin")
    (await asked.decide(place.people.bob, "Revoke")).done()
    return await closed(asked)


async def role_changed(place: Place) -> Asked:
    """The role allows more than what was approved: the access ends."""
    await _offer(place, "revoking")
    asked = await granted(place, "revoking")
    await place.apply(_a_role(place, "revoking", "get", "list"))
    return await closed(asked)


async def role_changed_and_kept(place: Place) -> Asked:
    """The role allows more than what was approved, and the policy keeps the access."""
    await _offer(place, "keeping", onRoleChange="Keep")
    asked = await granted(place, "keeping")
    await place.apply(_a_role(place, "keeping", "get", "list"))
    await asked.said("RoleUnchanged", "RoleChanged")
    return await closed(asked, A_MINUTE)


async def role_changed_before_the_start(place: Place) -> Asked:
    """The role allows more than what was approved when the access would begin."""
    await _offer(place, "early")
    asked = await approved(place, "early", _soon(seconds=8))
    await place.apply(_a_role(place, "early", "get", "list"))
    return await closed(asked)


async def no_such_policy(place: Place) -> Asked:
    """Carol mistypes the name of the policy."""
    return await closed(await place.ask(place.people.carol, "debugg"), A_MINUTE)


async def role_not_given(place: Place) -> Asked:
    """The policy offers a role that Curfew was not given."""
    await _offer(place, "beyond")
    return await closed(await place.ask(place.people.alice, "beyond"), A_MINUTE)


async def role_is_permanent(place: Place) -> Asked:
    """The policy offers a role with which access could be made to stay."""
    await place.apply(place.policy("for-ever", role="admin"))
    return await closed(await place.ask(place.people.alice, "for-ever"), A_MINUTE)


async def without_ticket(place: Place) -> Asked:
    """No ticket, and a policy that demands one; it comes after the request, which admission then cannot judge."""
    name = f"late-{uuid.uuid4().hex[:8]}"
    asked = await place.ask(place.people.alice, name)
    await place.apply(place.policy(name, ticket={"required": True}))
    return await closed(asked, A_MINUTE)


async def waits_for_approval(place: Place) -> Asked:
    """Nobody has decided yet."""
    return await place.pending(place.people.carol)


async def waits_in_approved(place: Place) -> Asked:
    """It is approved and begins in an hour."""
    return await approved(place, "debug", _soon(hours=1))


async def still_active(place: Place) -> Asked:
    """Alice has access."""
    return await granted(place, duration="1h")


STORIES: Final = (
    Story(
        "is denied after an approval",
        denied_after_an_approval,
        Expected("Denied", "DeniedByApprover", decided=f"{BOB}, dave Deny TookEffect"),
    ),
    Story(
        "is cancelled after an approval",
        cancelled_after_an_approval,
        Expected("Cancelled", "CancelledByRequester", decided=f"{BOB}, alice Cancel TookEffect"),
    ),
    Story(
        "times out after an approval",
        times_out_after_an_approval,
        Expected("TimedOut", "NobodyDecided", decided=BOB),
    ),
    Story(
        "is approved by two at once",
        two_at_once,
        reviewed(
            "Revoked", "RevokedByApprover", REVOKED, f"{BOB}, dave Approve Counted, dave Revoke TookEffect", "bob dave"
        ),
    ),
    Story(
        "is approved for an unknown stage",
        for_an_unknown_stage,
        Expected("Cancelled", "CancelledByRequester", decided="alice Cancel TookEffect"),
    ),
    Story(
        "breaks the glass",
        glass_with_review,
        Expected(
            "Revoked",
            "ReleasedByRequester",
            decided="alice Cancel TookEffect, bob Review TookEffect",
            how="break glass",
            ended_by=REVOKED,
        ),
    ),
    Story(
        "breaks the glass and owes a review",
        glass_without_review,
        Expected(
            "Revoked", "ReleasedByRequester", decided="alice Cancel TookEffect", how="break glass", ended_by=REVOKED
        ),
    ),
    Story(
        "breaks the glass and is deleted",
        glass_deleted_unreviewed,
        Expected("Deleted", "RequestDeleted", decided="alice Cancel TookEffect", how="break glass", ended_by=REVOKED),
    ),
    Story(
        "is asked for by somebody else",
        on_behalf,
        reviewed("Revoked", "ReleasedByRequester", REVOKED, f"{BOB}, carol Cancel TookEffect", submitter="carol"),
    ),
    Story(
        "loses its binding",
        binding_deleted,
        reviewed("Revoked", "BindingRemoved", "grant.binding_removed", findings="binding-removed"),
    ),
    Story("finds its name taken", name_is_taken, refused("BindingConflict", decided=BOB)),
    Story(
        "is deleted when it is over",
        deleted_afterwards,
        reviewed("Revoked", "RevokedByApprover", REVOKED, f"{BOB}, bob Revoke TookEffect"),
    ),
    Story("sees its policy changed", policy_changed, refused("TermsChanged")),
    Story("sees its policy deleted", policy_deleted, refused("PolicyDeleted")),
    Story(
        "sees its policy deleted during the grant",
        policy_deleted_during_the_grant,
        reviewed("Revoked", "RevokedByApprover", REVOKED, f"{BOB}, bob Revoke TookEffect"),
    ),
    Story(
        "sees its role changed",
        role_changed,
        reviewed("Revoked", "RoleChanged", REVOKED, findings="role-changed"),
    ),
    Story(
        "sees its role changed and goes on",
        role_changed_and_kept,
        reviewed("Expired", "DurationElapsed", EXPIRED, findings="role-changed"),
    ),
    Story(
        "sees its role changed before the start", role_changed_before_the_start, refused("TermsChanged", decided=BOB)
    ),
    Story("names no policy", no_such_policy, refused("PolicyNotFound", requester="carol")),
    Story("asks for a role that Curfew was not given", role_not_given, refused("CannotBind")),
    Story("asks for a role that can make access permanent", role_is_permanent, refused("RoleIsPermanent")),
    Story("has no ticket", without_ticket, refused("TicketMissing")),
    Story("waits in Approved", waits_in_approved, Expected("Open", decided=BOB)),
    Story("is still active", still_active, reviewed("Open", "", "")),
)
"""Those that can be told at the same time in one namespace."""

LAST: Final = Story("waits for approval", waits_for_approval, Expected("Open", requester="carol"))
"""What is recorded of it comes after all that others did."""


def of_course(course: Course) -> Story:
    """Return a course as a story."""

    async def steps(place: Place) -> Asked:
        walk = await Walk(course, place).take()
        if course.phase is not None:
            await walk.asked.closed()
        return walk.asked

    return Story(course.name, steps, OF_COURSES[course.name])


AT_ONCE: Final = (*map(of_course, courses.COURSES), *STORIES)


async def closed(asked: Asked, seconds: float = A_MINUTE) -> Asked:
    """Return a request when its story is closed."""
    await asked.closed(seconds)
    return asked


async def _allowed(ask: Callable[[], Awaitable[Answer]]) -> Body:
    """Return what the API server answers once it knows of a right that was given a moment ago."""
    async with asyncio.timeout(SOON):
        while not (answer := await ask()).is_ok:
            pass
    return answer.done()


async def _offer(place: Place, name: str, **spec: Any) -> None:
    """Make a Role and a policy of this name that offers it."""
    body = place.policy(name, **spec)
    body["spec"]["roleRef"] = {"kind": "Role", "name": name}
    await place.apply(_a_role(place, name, "get"), body)


def _a_role(place: Place, name: str, *verbs: str) -> Body:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": place.namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}],
    }


ROLES: Final = ("revoking", "keeping", "early")
"""The Roles that Curfew is given in the namespace of the stories."""


def _soon(**later: int) -> datetime:
    return (now() + timedelta(**later)).replace(microsecond=0)
