"""An admission policy is in force when it refuses in its own name what it must, and not for any other reason."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from curfew.core.facts import EnforcementState
from curfew.core.probes import Attempt, Canary, Speaker, attempts
from curfew.ports import ClusterError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from curfew.processes.operator.enforcement import Enforcement
from tests.support.trail import START, LoopClock

pytestmark = pytest.mark.looptime(start=0)

POLICIES = [attempt.policy for attempt in attempts("curfew-system", "curfew-probe")]
DECISION = "curfew-request-decision"


def refusal(policy: str) -> str:
    """Return what the API server says when a policy refuses."""
    return (
        f"accessrequests.curfew.dev \"curfew-probe\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding "
        f"'{policy}' denied request: only people may decide"
    )


@dataclass
class Api:
    """An API server whose policies are all in force, but for what a test says."""

    answers: dict[str, str | ClusterError | None] = field(default_factory=dict)
    is_silent: bool = False
    tried: list[Attempt] = field(default_factory=list)
    placed: list[Canary] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)  # names of canaries that are not there
    placing: ClusterError | None = None
    rounds: list[float] = field(default_factory=list)

    async def attempt(self, attempt: Attempt) -> str | None:
        """Answer as a policy in force does, or as the test says."""
        self.tried.append(attempt)
        if attempt.policy == DECISION:
            self.rounds.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        if self.is_silent:
            raise Unavailable("cannot try it: the API server did not answer in time")
        if attempt.canary is not None and attempt.name in self.missing:
            raise NotFound(f"{attempt.plural} {attempt.name} not found")
        answer = self.answers.get(attempt.policy, refusal(attempt.policy))
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    async def place(self, canary: Canary) -> None:
        """Put it there."""
        if self.placing is not None:
            raise self.placing
        self.placed.append(canary)
        self.missing.discard(canary.manifest["metadata"]["name"])


@dataclass
class Told:
    """What was told."""

    states: list[EnforcementState] = field(default_factory=list)
    policies: dict[str, bool] = field(default_factory=dict)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def enforcement(api: Api, told: Told) -> Enforcement:
    return Enforcement(
        api,
        LoopClock(),
        namespace="curfew-system",
        account="curfew-probe",
        every=timedelta(seconds=30),
        changed=told.states.append,
        told=told.policies.__setitem__,
    )


async def run_for(enforcement: Enforcement, seconds: float, then: Callable[[], None] = lambda: None) -> None:
    """Let it run for a time, and do something at its end."""
    running = asyncio.create_task(enforcement.run())
    await asyncio.sleep(seconds)
    then()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_before_the_first_probe_nothing_is_known(enforcement: Enforcement, told: Told) -> None:
    state = enforcement.state
    assert (state.ok, state.reason) == (False, "NotYetProbed")
    assert state.message == "It is not known yet whether all admission policies are in force."
    assert told == Told()


async def test_all_refuse_what_they_must(enforcement: Enforcement, api: Api, told: Told) -> None:
    state = await enforcement.probe()
    assert (state.ok, state.reason, state.message) == (True, "Enforced", "All admission policies are in force.")
    assert state is enforcement.state
    assert told.states == [state]
    assert told.policies == dict.fromkeys(POLICIES, True)
    assert [attempt.policy for attempt in api.tried] == POLICIES
    assert not api.placed


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(None, " was not refused", id="let through"),
        pytest.param("serviceaccount cannot patch", " was refused by something else: serviceaccount", id="RBAC"),
        pytest.param(refusal("curfew-other"), " was refused by something else: ", id="another policy"),
        pytest.param(refusal("curfew-request-decision-x"), " was refused by something else: ", id="a longer name"),
        pytest.param(Invalid("spec.x: Invalid value"), " could not be tried: spec.x", id="the schema"),
        pytest.param(Conflict("modified"), " could not be tried: modified", id="a conflict"),
        pytest.param(NotFound("no such kind."), " could not be tried: no such kind)", id="nothing there"),
        pytest.param(Forbidden("no token"), " could not be tried: no token", id="no token"),
    ],
)
async def test_whatever_else_is_answered_it_is_not_in_force(
    enforcement: Enforcement, api: Api, told: Told, policy: str, answer: str | ClusterError | None, why: str
) -> None:
    """Unknown means no (promise P8)."""
    api.answers[policy] = answer
    state = await enforcement.probe()
    assert (state.ok, state.reason) == (False, "NotEnforced")
    assert state.message.startswith(f"Admission policy not in force: {policy} (")
    assert why in state.message
    assert f"Run helm upgrade curfew, or restore ValidatingAdmissionPolicyBinding {policy} " in state.message
    assert told.policies == {other: other != policy for other in POLICIES}


async def test_all_that_are_missed_are_named(enforcement: Enforcement, api: Api) -> None:
    api.answers = {DECISION: None, "curfew-managed-bindings": None}
    message = (await enforcement.probe()).message
    assert message == (
        "Admission policies that are not in force: "
        "curfew-managed-bindings (making a grant that is not Curfew's was not refused); "
        "curfew-request-decision (deciding in somebody else's name was not refused). "
        "Run helm upgrade curfew, or restore ValidatingAdmissionPolicyBindings curfew-managed-bindings, "
        "curfew-request-decision with validationActions [Deny]. If Helm reports that validationActions is invalid, "
        "delete ValidatingAdmissionPolicyBindings curfew-managed-bindings, curfew-request-decision first."
    )


async def test_what_the_api_server_says_is_cut_to_a_sentence(enforcement: Enforcement, api: Api) -> None:
    api.answers[DECISION] = "x" * 5000
    assert len((await enforcement.probe()).message) < 1000


async def test_a_change_is_told_once(enforcement: Enforcement, api: Api, told: Told) -> None:
    await enforcement.probe()
    await enforcement.probe()
    api.answers[DECISION] = None
    await enforcement.probe()
    await enforcement.probe()
    api.answers[DECISION] = "RBAC"
    await enforcement.probe()
    api.answers.clear()
    await enforcement.probe()
    assert [state.reason for state in told.states] == ["Enforced", "NotEnforced", "NotEnforced", "Enforced"]
    assert told.states[1].since == told.states[2].since == START + timedelta(seconds=0.03)
    assert told.states[3].since == START + timedelta(seconds=0.06)


async def test_an_api_server_that_does_not_answer_says_nothing(enforcement: Enforcement, api: Api, told: Told) -> None:
    """The last answer stands, whichever it was."""
    await enforcement.probe()
    api.is_silent = True
    assert (await enforcement.probe()).ok
    api.is_silent = False
    api.answers[DECISION] = None
    await enforcement.probe()
    api.is_silent = True
    assert not (await enforcement.probe()).ok
    assert told.policies[DECISION] is False
    assert len(told.states) == 2


async def test_silence_from_the_start_is_told(enforcement: Enforcement, api: Api, told: Told) -> None:
    api.is_silent = True
    state = await enforcement.probe()
    await enforcement.probe()
    assert (state.ok, state.reason) == (False, "NotYetProbed")
    assert state.message.endswith("are in force: cannot try it: the API server did not answer in time.")
    assert told.states == [state]
    assert not any(told.policies.values())


async def test_silence_about_one_policy_from_the_start_is_no_answer(enforcement: Enforcement, api: Api) -> None:
    api.answers[DECISION] = Unavailable("later")
    assert (await enforcement.probe()).reason == "NotYetProbed"


async def test_silence_about_one_does_not_hide_another(enforcement: Enforcement, api: Api) -> None:
    api.answers = {DECISION: Unavailable("later"), "curfew-managed-bindings": None}
    assert (await enforcement.probe()).reason == "NotEnforced"


async def test_what_attempts_are_made_on_is_put_there(enforcement: Enforcement, api: Api) -> None:
    api.missing = {"curfew-probe", "curfew-canary"}
    assert (await enforcement.probe()).ok
    assert {canary.manifest["metadata"]["name"] for canary in api.placed} == {"curfew-probe", "curfew-canary"}


async def test_what_cannot_be_put_there_cannot_be_tried(enforcement: Enforcement, api: Api) -> None:
    api.missing = {"curfew-canary"}
    api.placing = Forbidden("no right to create accesspolicies")
    state = await enforcement.probe()
    assert state.reason == "NotEnforced"
    assert "curfew-policy-status (writing the status of a policy could not be tried: no right" in state.message


async def test_it_is_tried_every_thirty_seconds(enforcement: Enforcement, api: Api) -> None:
    await run_for(enforcement, 65)
    assert api.rounds == [0, 30, 60]


async def test_it_is_tried_sooner_while_something_is_wrong(enforcement: Enforcement, api: Api) -> None:
    """A policy that goes is missed within a round; one that is back need not wait for one."""
    api.answers[DECISION] = None
    await run_for(enforcement, 12, api.answers.clear)
    assert api.rounds == [0, 5, 10]


async def test_a_policy_that_goes_is_missed_within_a_round(enforcement: Enforcement, api: Api, told: Told) -> None:
    running = asyncio.create_task(enforcement.run())
    await asyncio.sleep(1)
    api.answers[DECISION] = None
    await asyncio.sleep(30)
    running.cancel()
    assert [state.reason for state in told.states] == ["Enforced", "NotEnforced"]
    assert told.states[1].since == START + timedelta(seconds=30.01)


def test_the_operator_tries_only_what_nobody_else_can() -> None:
    """What is forbidden to the operator itself; and to write an activity, which two policies refuse to everybody else."""
    by_speaker = {
        speaker: {attempt.policy for attempt in attempts("n", "a") if attempt.speaker is speaker} for speaker in Speaker
    }
    assert by_speaker[Speaker.OPERATOR] == {
        *(policy for policy in POLICIES if policy.startswith("curfew-operator-")),
        "curfew-monitor-containment",
    }
    assert len(by_speaker[Speaker.PROBE]) == 9


def test_everything_is_tried_in_curfews_own_namespace() -> None:
    for attempt in attempts("here", "a"):
        assert attempt.namespace == ("" if attempt.plural in {"accesslocks", "alertresponses"} else "here")
        assert attempt.body.get("metadata", {}).get("namespace", "here") == "here"
        if attempt.canary is not None:
            assert attempt.canary.manifest["metadata"]["namespace"] == "here"
