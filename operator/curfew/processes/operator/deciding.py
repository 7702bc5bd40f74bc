"""Decides the next step, taking into account which of the step's records the log already holds.

A decision is made from values alone. Its records are known only once the decision is made. So it is made again if the log
already holds some of them, which happens after etcd was restored. The log remembers for longer what it is asked for, and
this module asks.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from curfew.audit.receipt import Receipt
from curfew.core.facts import Facts
from curfew.core.outbox import ids_to_look_up
from curfew.core.plan import plan
from curfew.core.steps import Step


def decide(facts: Facts, receipt: Callable[[str], Receipt | None]) -> tuple[Facts, Step]:
    """Return the next step, and the facts behind it: `facts`, plus the ids that were found to be durable.

    `receipt` returns the receipt of a durable record by its id, or None.
    """
    facts = _with_durable(facts, ids_to_look_up(facts), receipt)
    while True:
        step = plan(facts)
        known = _with_durable(facts, (record.id for record in (*step.records, *step.held_up)), receipt)
        if known is facts:
            return facts, step
        facts = known


def _with_durable(facts: Facts, ids: Iterable[str], receipt: Callable[[str], Receipt | None]) -> Facts:
    """Return the facts with the durable ones of these ids added; the same facts if there is no new one."""
    found = {id_ for id_ in ids if id_ not in facts.durable and receipt(id_) is not None}
    return replace(facts, durable=facts.durable | found) if found else facts
