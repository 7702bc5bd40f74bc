"""What stands in the chart in words of its own agrees with the code."""

import re
from pathlib import Path

from curfew.api import names
from curfew.api.access_request import AccessRequestStatus, DecisionKind, Phase
from curfew.api.names import CHECKPOINT_CONFIG_MAP, SWEEPER_CRON_JOB
from curfew.api.phases import PHASE_CHANGES
from curfew.core.probes import CANARY_POLICY, CANARY_REQUEST, UNTRIED, attempts

POLICIES = Path(__file__).parents[3] / "charts" / "curfew" / "templates" / "policies"


def test_only_final_phases_can_be_closed() -> None:
    """The list in the admission policy is the table's."""
    text = (POLICIES / "operator-labels-only.yaml").read_text()
    listed = re.search(r"in\s+\[('Denied'.*?)\]", text)
    assert listed is not None

    final = {phase for phase, following in PHASE_CHANGES.items() if phase is not None and not following}

    assert {Phase(word.strip(" '")) for word in listed[1].split(",")} == final


def test_the_policies_use_our_names() -> None:
    """Every label and annotation that a policy speaks of is one that Curfew writes."""
    ours = {value for name, value in vars(names).items() if name.startswith(("LABEL_", "ANNOTATION_"))}
    spoken = {
        mark for path in POLICIES.glob("*.yaml") for mark in re.findall(r"'(curfew\.dev/[a-z-]+)'", path.read_text())
    }

    assert spoken - {names.API_VERSION} <= ours | {f"{names.GROUP}/v"}
    assert {names.LABEL_REQUEST_UID, names.ANNOTATION_EXPIRES_AT, names.ANNOTATION_TERMS} <= spoken


def test_the_policies_know_every_decision() -> None:
    """A new kind of decision must not slip through between those that are named."""
    text = (POLICIES / "request-decision.yaml").read_text()

    assert {kind for kind in DecisionKind if f"'{kind}'" in text} == set(DecisionKind)


def test_room_for_ending_a_request_is_kept() -> None:
    """Approvals alone can never fill the list of decisions."""
    kept_below = re.search(r"size\(variables\.oldDecisions\) < (\d+)", (POLICIES / "request-decision.yaml").read_text())
    holds = next(
        item.max_length
        for item in AccessRequestStatus.model_fields["decisions"].metadata
        if hasattr(item, "max_length")
    )
    assert kept_below is not None

    assert int(kept_below[1]) < holds


def test_every_policy_that_access_hangs_on_is_tried() -> None:
    """A new one without an attempt would be out of force unseen."""
    shipped = {path.stem for path in POLICIES.glob("*.yaml") if "ValidatingAdmissionPolicy" in path.read_text()}

    assert UNTRIED.keys() < {f"curfew-{name}" for name in shipped}
    assert {attempt.policy for attempt in attempts("n", "a")} == {f"curfew-{name}" for name in shipped} - UNTRIED.keys()


def test_the_probe_may_reach_what_it_is_tried_on() -> None:
    """The rights in the chart name the objects that the code names."""
    text = (POLICIES.parent / "probe.yaml").read_text()

    assert f"resources: [accessrequests/status], verbs: [patch], resourceNames: [{CANARY_REQUEST}]" in text
    assert f"resources: [accesspolicies/status], verbs: [patch], resourceNames: [{CANARY_POLICY}]" in text


def test_checkpoints_are_put_where_the_chart_has_a_place_for_them() -> None:
    """The operator has no right to make one."""
    text = (POLICIES.parent / "checkpoint.yaml").read_text()

    assert f"kind: ConfigMap\nmetadata:\n  name: {CHECKPOINT_CONFIG_MAP}\n" in text
    assert f"resourceNames: [{CHECKPOINT_CONFIG_MAP}]" in text


def test_the_operator_looks_at_the_sweeper_of_the_chart() -> None:
    text = (POLICIES.parent / "sweeper.yaml").read_text()

    assert f"kind: CronJob\nmetadata:\n  name: {SWEEPER_CRON_JOB}\n" in text
    assert f"verbs: [get], resourceNames: [{SWEEPER_CRON_JOB}]" in text
