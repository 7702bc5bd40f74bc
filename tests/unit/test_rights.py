"""What RBAC is asked about a person: a yes counts for seconds, a no never, and on behalf of others nothing is believed."""

from typing import Any

import pytest

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.core.checks import JUST_ASKED
from curfew.processes.operator.rights import MOST_ANSWERS, RightsReader
from tests.support.builders import ALICE, NOON, a_policy, a_request
from tests.support.world import FailurePlan, FakeClock, FakeCluster


class Asking:
    """A reader of rights, and how often it has asked about people."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.cluster = FakeCluster(self.clock)
        self.cluster.failures = FailurePlan()
        self.rights = RightsReader(self.cluster, self.clock)
        self.policy = AccessPolicy.model_validate(a_policy())

    async def may_ask(self, **spec: Any) -> bool:
        """Ask about a request."""
        body = a_request(**spec)
        body["metadata"] |= {"uid": "uid-1", "resourceVersion": "1"}
        request = AccessRequest.model_validate(body)
        return (await self.rights.read(request, self.policy)).requester_may_ask

    @property
    def asked(self) -> int:
        """How often the API server was asked about a person."""
        return self.cluster.failures.calls.count("may request")


@pytest.fixture
def asking() -> Asking:
    """Return a reader that has asked nothing."""
    return Asking()


async def test_a_yes_counts_for_the_other_requests_of_a_person_for_seconds(asking: Asking) -> None:
    """A right that is lost is noticed once they are over."""
    assert await asking.may_ask()
    asking.cluster.may_not_request.add(ALICE)
    asking.clock.advance(seconds=JUST_ASKED.total_seconds())

    assert await asking.may_ask()
    assert asking.asked == 1

    asking.clock.advance(seconds=0.001)

    assert not await asking.may_ask()


async def test_a_clock_that_is_set_back_makes_no_yes_last_longer(asking: Asking) -> None:
    """An answer from the future is none."""
    assert await asking.may_ask()
    asking.cluster.may_not_request.add(ALICE)
    asking.clock.advance(hours=-1)

    assert not await asking.may_ask()


async def test_a_no_is_asked_again_at_once(asking: Asking) -> None:
    """Who was just given the right has it by name."""
    asking.cluster.may_not_request.add(ALICE)
    assert not await asking.may_ask()
    asking.cluster.may_not_request.clear()

    assert await asking.may_ask()


async def test_for_requests_on_behalf_of_others_no_answer_is_believed(asking: Asking) -> None:
    """The API server has not let the person in (promise P4)."""
    assert await asking.may_ask()
    asking.cluster.may_not_request.add(ALICE)

    assert not await asking.may_ask(submittedBy="system:serviceaccount:argocd:controller")
    assert not await asking.may_ask()


async def test_a_refused_binding_makes_all_answers_doubtful(asking: Asking) -> None:
    """RBAC has changed."""
    assert await asking.may_ask()
    asking.rights.was_refused()
    await asking.may_ask()

    assert asking.asked == 2


async def test_another_persons_yes_is_nobody_elses_and_memory_is_bounded(asking: Asking) -> None:
    """Each person and each policy is asked about."""
    for number in range(MOST_ANSWERS + 1):
        await asking.may_ask(requester=f"person-{number}", submittedBy=f"person-{number}")
    assert asking.asked == MOST_ANSWERS + 1

    await asking.may_ask(requester="person-1", submittedBy="person-1")
    assert asking.asked == MOST_ANSWERS + 1
    await asking.may_ask(requester="person-0", submittedBy="person-0")

    assert asking.asked == MOST_ANSWERS + 2
