"""What to do next about one request: a pure function of what is known.

The ladder below is the whole plan. Its first rung ends access and needs only the binding (promises P1 and P3): no policy,
role, bucket or notification can come before the end of access. Each step does one thing to the world. The reconciler then
looks again, so that a crash between any two steps is an ordinary start. A replica that does not lead has a plan of its own,
which only ends access (`standing_by`).

    end_access       a binding that has no right to exist is removed
    finish           an end whose records were handed to the log is shown
    close_restored   a request whose story is closed in the log is closed again, and nothing is recorded twice
    close_gone       a request that was deleted gets its last records
    clear_outbox     outbox entries that are not from Curfew are removed, and that is recorded
    make_room        what a status has no room for waits, or is recorded in parts
    conclude         a grant whose binding is gone is Expired or Revoked
    adopt            a binding that was made on our announcement is Active
    note_role_change the role of a grant was changed, and the policy keeps the grant
    note_keep        somebody keeps what a grant has left behind
    review_afterwards  the review that is due after breaking the glass
    accept           a new request is checked, its terms are pinned
    turn_down        people or time said no
    grant            enough people said yes: announce, then bind
    settle_outbox    records that became durable leave the status
"""

from curfew.core.accepting import accept
from curfew.core.afterwards import note_keep, review_afterwards
from curfew.core.concluding import adopt, close_gone, close_restored, conclude, end_access, note_role_change
from curfew.core.facts import Facts
from curfew.core.finishing import finish
from curfew.core.granting import grant, turn_down
from curfew.core.outbox import clear_outbox, make_room, settle_outbox, to_submit
from curfew.core.rechecks import SEALS_RECHECK, next_look
from curfew.core.standing_by import stand_by
from curfew.core.steps import Step


def plan(facts: Facts) -> Step:
    """Return the next step about a request. A step without an act means: wait for `wake_at` or for news."""
    if not facts.leads:
        return stand_by(facts)
    if facts.outbox is None:  # no record can be written into a status, so only an end is decided
        return end_access(facts) or Step(wake_at=facts.now + SEALS_RECHECK)
    for rung in (
        end_access,
        finish,
        close_restored,
        close_gone,
        clear_outbox,
        make_room,
        conclude,
        adopt,
        note_role_change,
        note_keep,
        review_afterwards,
        accept,
        turn_down,
        grant,
        settle_outbox,
    ):
        step = rung(facts)
        if step is not None:
            return step
    return Step(submit=to_submit(facts), wake_at=next_look(facts))
