"""Why a decision was refused follows from the messages that the chart's admission policies have."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from curfew.core.activity.call import AdmissionRefusal
from curfew.core.activity.noticing.reasons import MESSAGES, refused_by, why_of
from curfew.core.activity.noticing.records import RefusedBecause
from tests.support.noticing import a_refusal

TEMPLATES = Path(__file__).parents[5] / "charts" / "curfew" / "templates" / "policies"


def policies() -> Iterator[dict[str, Any]]:
    """Yield the chart's policies that judge a change of a request's status."""
    for path in sorted(TEMPLATES.glob("*.yaml")):
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("{{")]
        text = re.sub(r"\{\{.*?\}\}", "x", "\n".join(lines))
        for document in yaml.safe_load_all(text):
            if not isinstance(document, dict) or document["kind"] != "ValidatingAdmissionPolicy":
                continue
            rules = document["spec"]["matchConstraints"]["resourceRules"]
            if any("accessrequests/status" in rule["resources"] and "UPDATE" in rule["operations"] for rule in rules):
                yield document


def split(expression: str, sign: str) -> list[str]:
    """Split an expression of CEL at a sign that is in no parentheses and no text."""
    parts, depth, quoted = [""], 0, False
    for letter in expression:
        quoted ^= letter == "'"
        depth += 0 if quoted else (letter in "([") - (letter in ")]")
        if letter == sign and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def texts(expression: str) -> list[str]:
    """Return what a message expression can come to; what is no text in it becomes an x."""
    expression = expression.strip()
    if (
        re.fullmatch(r"\(.*\)", expression, re.DOTALL)
        and len(split(expression, "?")) == len(split(expression, "+")) == 1
    ):
        return texts(expression[1:-1])
    condition, *rest = split(expression, "?")
    if rest:
        first, *others = split("?".join(rest), ":")
        return texts(first) + texts(":".join(others))
    parts = split(expression, "+")
    if len(parts) > 1:
        return ["".join(one) for one in itertools.product(*map(texts, parts))]
    return [condition[1:-1]] if re.fullmatch(r"'[^']*'", condition) else ["x"]


def messages() -> list[tuple[str, str]]:
    """Return every message of the chart, with the name of its policy."""
    return [
        (policy["metadata"]["name"], text)
        for policy in policies()
        for rule in policy["spec"]["validations"]
        for text in ([rule["message"]] if "message" in rule else texts(rule["messageExpression"]))
    ]


def test_every_policy_that_can_refuse_a_decision_is_known() -> None:
    assert {policy["metadata"]["name"] for policy in policies()} == set(MESSAGES)


def test_each_message_of_the_chart_is_known_once_and_each_that_is_known_is_there() -> None:
    fitting = {
        (policy, text): [begin for begin, _ in MESSAGES[policy] if re.match(begin, text)] for policy, text in messages()
    }

    assert {message: found for message, found in fitting.items() if len(found) != 1} == {}
    known = {(policy, begin) for policy, found in MESSAGES.items() for begin, _ in found}
    assert {(policy, begin) for (policy, _), (begin,) in fitting.items()} == known


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("you cannot approve a request that you made", "own_request"),
        ("you cannot keep what is left of a request that you made", "own_request"),
        ("you cannot review a request that you made: names that differ in letter case alone are one person", "own_request"),
        ("decisions[].by must be alice@example.com", "forged"),
        ("decisions are append-only", "forged"),
        ("only status.decisions may be changed by users", "forged"),
        ("you need the verb approve on accesspolicies/debug, subresource owners", "not_eligible"),
        ("AccessPolicy debug requires approvers to have the verb approve and to be in one of these groups: a", "not_eligible"),
        ("only people may decide", "not_eligible"),
        ("AccessPolicy debug has no stage you cannot approve a request that you made", "other"),
        ("this decision is not possible in phase Denied", "other"),
        ("a message of a later version", "other"),
    ],
)  # fmt: skip
def test_a_message_shows_why(message: str, why: str) -> None:
    assert why_of(AdmissionRefusal("curfew-request-decision", message)) == why


def test_the_gravest_reason_counts_if_two_policies_refuse() -> None:
    reason = AdmissionRefusal("curfew-decision-reason", "AccessPolicy debug requires a reason of at least 10")
    own = AdmissionRefusal("curfew-request-decision", "you cannot approve a request that you made")

    expected = ("curfew-request-decision", RefusedBecause.OWN_REQUEST)
    assert refused_by(a_refusal(refusals=(reason, own))) == expected
    assert refused_by(a_refusal(refusals=(own, reason))) == expected


def test_a_policy_of_somebody_else_is_no_refusal_of_ours() -> None:
    assert refused_by(a_refusal(policy="guard")) is None
