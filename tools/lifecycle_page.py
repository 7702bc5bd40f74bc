"""docs/lifecycle.md, drawn from the table in the code."""

from curfew.core.lifecycle import FINAL, TRANSITIONS, Event
from curfew.core.reasons import Reason

WORDS = {
    Event.ACCEPT: "The request is understood; policy and role are pinned.",
    Event.REJECT: "It can never be granted as written; `status.endReason` and the Ready condition show why.",
    Event.APPROVE: "Enough people agreed, and the grant waits for its start or for the trail.",
    Event.GRANT: "The announcement is durable, and the binding was made and read back.",
    Event.DENY: "A person who may approve denied it.",
    Event.TIME_OUT: "`status.decideBy` passed before enough people agreed. A later approval changes nothing.",
    Event.CANCEL: "The requester (or who submitted it) withdrew it.",
    Event.FAIL: "What was approved cannot be granted: its terms changed, or the binding was refused.",
    Event.EXPIRE: "The window is over, and the binding is gone.",
    Event.REVOKE: "It was ended early, and the binding is gone.",
}

REASONS = {
    Reason.POLICY_NOT_FOUND: "The namespace has no AccessPolicy of that name, and none appeared in time.",
    Reason.POLICY_DELETED: "The policy was deleted before the grant was made.",
    Reason.POLICY_INVALID: "The policy has a rule that cannot be read.",
    Reason.ROLE_NOT_FOUND: "The role that the policy offers does not exist.",
    Reason.ROLE_IS_PERMANENT: "With the role, a person could create access that outlives the grant.",
    Reason.REQUESTER_MAY_NOT_ASK: "The requester has no right to ask for the policy, or has lost the right.",
    Reason.REQUESTER_NOT_A_PERSON: "The requester is a service account or the system itself.",
    Reason.DURATION_TOO_LONG: "The request asks for longer than the policy or the settings allow.",
    Reason.START_TOO_FAR_AWAY: "The request asks for a start further ahead than the policy allows.",
    Reason.REASON_TOO_SHORT: "The reason is shorter than the policy requires.",
    Reason.TICKET_MISSING: "The policy requires a ticket, and the request has none.",
    Reason.TICKET_MALFORMED: "The ticket does not have the form that the policy requires.",
    Reason.LIMIT_REACHED: "The requester has as many requests or grants under the policy as it allows.",
    Reason.WITHDRAWN_TOO_OFTEN: "The requester withdrew 20 requests in this namespace and hour before anything was granted.",
    Reason.REQUEST_UNREADABLE: "The API server accepted a request that Curfew cannot read.",
    Reason.NAME_WAS_USED: "The policy accepts each name only once, and an earlier request had this name.",
    Reason.LOCKED: "An AccessLock covers the person, the policy, the namespace or everything.",
    Reason.SELF_TEST: "Curfew made the request itself, to test its admission policies. It fails on purpose.",
    Reason.DENIED_BY_APPROVER: "An approver decided Deny.",
    Reason.CANCELLED_BY_REQUESTER: "The requester decided Cancel before the grant.",
    Reason.RELEASED_BY_REQUESTER: "The requester decided Cancel during the grant.",
    Reason.REVOKED_BY_APPROVER: "Somebody with the right to revoke decided Revoke.",
    Reason.REQUEST_DELETED: "The request was deleted.",
    Reason.NOBODY_DECIDED: "Not enough people agreed before decideBy.",
    Reason.DURATION_ELAPSED: "The window is over: this is the ordinary end.",
    Reason.WINDOW_ELAPSED: "The window was over before the grant could be made.",
    Reason.TERMS_CHANGED: "The policy or the role is not as it was when the request was accepted.",
    Reason.CANNOT_BIND: "Curfew may not bind the role in this namespace, or the API server refused the binding.",
    Reason.BINDING_CONFLICT: "A RoleBinding of that name, which Curfew did not make, blocks the grant.",
    Reason.ACTIVATION_INTERRUPTED: "Curfew was interrupted while making the grant, and does not know whether it was ended.",
    Reason.BINDING_TAMPERED: "The binding was not as Curfew had made it.",
    Reason.BINDING_REMOVED: "Somebody else than Curfew deleted the binding.",
    Reason.BINDING_UNANNOUNCED: "There was a binding that the log had not announced.",
    Reason.ROLE_CHANGED: "The role was changed during the grant, and the policy has onRoleChange: Revoke.",
    Reason.EXPIRY_MISSING: "The request was Active without an end.",
    Reason.STORY_CLOSED: "The log holds its end; etcd was restored from before that.",
}

INTRODUCTION = """# The life of a request

<!-- Drawn by `make generate` from operator/curfew/core/lifecycle.py. Do not edit. -->

One table in the code moves a request from phase to phase. The rules of the custom resource enforce it for everybody,
including the operator. A final phase stays final.

"""


def lifecycle_page() -> str:
    """Return the page: the diagram, the events and the words for an end."""
    diagram = ["```mermaid", "stateDiagram-v2"]
    for state, events in TRANSITIONS.items():
        diagram += [f"    {state or '[*]'} --> {phase}: {event}" for event, phase in events.items()]
    diagram += [f"    {phase} --> [*]" for phase in sorted(FINAL)]
    diagram.append("```")
    rows = ["| event | from | to | when |", "|---|---|---|---|"]
    for event in Event:
        ways = [(state, events[event]) for state, events in TRANSITIONS.items() if event in events]
        sources = ", ".join(str(state or "new") for state, _ in ways)
        rows.append(f"| {event} | {sources} | {ways[0][1]} | {WORDS[event]} |")
    reasons = "\n".join(f"- `{reason}`: {REASONS[reason]}" for reason in Reason)
    return (
        INTRODUCTION
        + "\n".join(diagram)
        + "\n\n## Events\n\n"
        + "\n".join(rows)
        + "\n\nIn `Approved`, a request waits. A request that does not need to wait goes from Pending to Active in one write.\n"
        + "\n## Why it ended\n\n`status.endReason`, the record, the condition and the Event use the same word:\n\n"
        + reasons
        + "\n"
    )
