"""What a policy asks of a request, in words."""

from curfew.audit.wording import count
from curfew.core.guidance.objects import ShownPolicy


def needs(policy: ShownPolicy) -> list[str]:
    """Return what a request has to have, and who must agree to it."""
    asked = [f"a reason of at least {policy.reason_length} characters"] if policy.reason_length > 1 else ["a reason"]
    if policy.ticket_required:
        asked.append(f"a ticket of the form {policy.ticket_pattern}" if policy.ticket_pattern else "a ticket")
    return (
        [*asked, f"{agreeing(policy)}, within {policy.decide_within}"]
        if policy.mode == "Review"
        else [*asked, agreeing(policy)]
    )


def agreeing(policy: ShownPolicy) -> str:
    """Return how many people must agree."""
    if policy.mode == "Automatic":
        return "nobody has to agree"
    if policy.mode == "BreakGlass":
        return "nobody has to agree before; a review afterwards"
    return ", ".join(
        f"{stage.needed} of {stage.name}" if stage.name else count(stage.needed, "approval") for stage in policy.stages
    )
