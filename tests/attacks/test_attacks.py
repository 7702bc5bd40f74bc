"""Each attack is refused for the reason meant, and its twin is done."""

import pytest

from curfew.api.access_policy import AccessPolicyStatus
from curfew.api.access_request import AccessRequestStatus
from tests.attacks.attack import Attack
from tests.attacks.families import FAMILIES, statuses
from tests.attacks.stage import Stage

FEWEST = 150

CASES = [pytest.param(attack, id=f"{family}: {attack}") for family, attacks in FAMILIES.items() for attack in attacks]


@pytest.mark.parametrize("attack", CASES)
def test_attack(stage: Stage, attack: Attack) -> None:
    """Somebody tries something, and somebody does nearly the same and may."""
    attack.judge(stage)


def test_there_are_enough_of_them() -> None:
    """No two have the same title, and even without those made from a table there are enough."""
    titles = [attack.title for attacks in FAMILIES.values() for attack in attacks]

    assert len(set(titles)) == len(titles)
    assert len(titles) >= FEWEST


def test_every_field_of_a_status_is_forged() -> None:
    """One that is added to the kinds is added there."""
    of_a_request, of_a_policy = (
        {field.alias or name for name, field in model.model_fields.items()}
        for model in (AccessRequestStatus, AccessPolicyStatus)
    )

    assert of_a_request - {"decisions"} == statuses.OF_A_REQUEST.keys()
    assert of_a_policy == statuses.OF_A_POLICY.keys()
