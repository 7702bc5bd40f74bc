"""Why a decision was refused, from the name of the admission policy and its message. No other place knows the messages.

`tests/unit/core/activity/noticing/test_reasons.py` compares them with those of the chart.
"""

import re
from collections.abc import Mapping
from typing import Final

from curfew.core.activity.call import AdmissionRefusal, Call
from curfew.core.activity.noticing.records import RefusedBecause

OURS: Final = "curfew-"
"""What the names of our admission policies begin with."""

_OWN, _NOT, _FORGED, _OTHER = (
    RefusedBecause.OWN_REQUEST,
    RefusedBecause.NOT_ELIGIBLE,
    RefusedBecause.FORGED,
    RefusedBecause.OTHER,
)

MESSAGES: Final[Mapping[str, tuple[tuple[str, RefusedBecause], ...]]] = {
    "curfew-request-decision": (
        ("only status.decisions may be changed by users", _FORGED),
        ("decisions are append-only", _FORGED),
        ("exactly one decision must be added", _FORGED),
        (r"decisions\[\]\.by must be ", _FORGED),
        ("only people may decide", _NOT),
        ("Curfew has not looked at this request yet", _OTHER),
        ("this decision is not possible in phase ", _OTHER),
        (r"you cannot \w+ (what is left of )?a request that you made", _OWN),
        ("you have decided already, as ", _NOT),
        (r"AccessPolicy \S* has no stage", _OTHER),
        (r"AccessPolicy \S* requires approvers to have the verb approve", _NOT),
        ("only the person who made the request may cancel it", _NOT),
        ("you need the verb ", _NOT),
        ("a decision Keep needs a reason", _OTHER),
        ("there are 24 decisions already", _OTHER),
    ),
    "curfew-decision-reason": ((r"AccessPolicy \S* requires a reason of at least ", _OTHER),),
    "curfew-monitor-containment": (
        ("status.activity is written by the monitor alone", _FORGED),
        ("the monitor changes nothing but status.activity", _FORGED),
    ),
    "curfew-operator-decides-nothing": (("the operator makes no decisions", _FORGED),),
}
"""By policy: how its messages begin, as regular expressions, and why it refuses then."""

_ORDER: Final = (_OWN, _FORGED, _NOT, _OTHER)  # the gravest first


def why_of(refusal: AdmissionRefusal) -> RefusedBecause:
    """Return why a policy of ours refused; OTHER for a message that is not known."""
    for begin, why in MESSAGES.get(refusal.policy, ()):
        if re.match(begin, refusal.message):
            return why
    return _OTHER


def refused_by(call: Call) -> tuple[str, RefusedBecause] | None:
    """Return the policy of ours that refused a call, and why: the gravest, if there are two. None if none of ours did."""
    ours = [(one.policy, why_of(one)) for one in call.refusals if one.policy.startswith(OURS)]
    return min(ours, key=lambda found: _ORDER.index(found[1]), default=None)
