"""docs/lifecycle.md, drawn from the table in the code."""

from curfew.core.lifecycle import FINAL, TRANSITIONS, Event
from curfew.core.reasons import Reason

WORDS = {
    Event.ACCEPT: "The request is understood; policy and role are pinned.",
    Event.REJECT: "It can never be granted as written; `status.endReason` and the Ready condition say why.",
    Event.APPROVE: "Enough people agreed, and the grant waits for its start or for the trail.",
    Event.GRANT: "The announcement is durable, the binding was made and read back.",
    Event.DENY: "A person who may approve said no.",
    Event.TIME_OUT: "`status.decideBy` passed before enough people agreed. A later approval changes nothing.",
    Event.CANCEL: "The requester (or who submitted it) withdrew it.",
    Event.FAIL: "What was approved cannot be granted: its terms changed, or the binding was refused.",
    Event.EXPIRE: "The window is over, and the binding was read back as gone.",
    Event.REVOKE: "It was ended early, and the binding was read back as gone.",
}

INTRODUCTION = """# The life of a request

<!-- Drawn by `make generate` from operator/curfew/core/lifecycle.py. Do not edit. -->

One table in the code moves a request from phase to phase, and the rules of the custom resource hold everybody to it, the
operator included. What is final stays final.

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
    reasons = "\n".join(f"- `{reason}`" for reason in Reason)
    return (
        INTRODUCTION
        + "\n".join(diagram)
        + "\n\n## Events\n\n"
        + "\n".join(rows)
        + "\n\n`Approved` is where a request waits; one that need not wait goes from Pending to Active in one write.\n"
        + "\n## Why it ended\n\n`status.endReason`, the record, the condition and the Event use the same word:\n\n"
        + reasons
        + "\n"
    )
