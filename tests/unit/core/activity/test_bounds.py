"""Memory does not grow with the number of calls, and what goes beyond a bound is shown."""

import gc
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from curfew.audit.record import record_id
from curfew.core.activity import attribution, derived, recent, remains, streams, tally, unannounced
from curfew.core.activity.call import Call, CallStage
from curfew.core.risk import words_of
from tests.support.activity import STANDING, AMonitor, a_call, of_account, reason, refused
from tests.support.builders import BOB, NOON

AT = NOON + timedelta(minutes=20)

STEPS = ((0, 100), (100, 50), (150, 50), (200, 50), (250, 50))
"""The first call of each step, and how many there are."""


def feed(monitor: AMonitor, calls: range, make: Callable[[int], Call]) -> int:
    """Attribute calls and count them, without keeping a log; return how many bytes are in use then."""
    for number in calls:
        for found in monitor.attribution.attribute(make(number)):
            monitor.tally().learn(found.record)
    words_of.cache_clear()  # bounded, and shared by all tests
    record_id.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture
def low_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower all bounds, so that they are reached soon."""
    for module, name in (
        (attribution, "MOST_AUDIT_IDS"),
        (derived, "MOST_TOKENS"),
        (recent, "MOST_CALLS"),
        (remains, "MOST_OBJECTS"),
        (streams, "MOST_STREAMS"),
        (tally, "MOST_COUNTED"),
        (unannounced, "MOST_BINDINGS"),
    ):
        monkeypatch.setattr(module, name, 50)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: a_call("get", f"pods/pod-{n}"), id="reads"),
        pytest.param(lambda n: a_call("patch", f"configmaps/settings-{n}"), id="changes"),
        pytest.param(lambda n: a_call("create", f"pods/pod-{n}"), id="pods that are left"),
        pytest.param(lambda n: a_call("create", "pods/"), id="pods with generated names"),
        pytest.param(lambda n: a_call("delete", f"pods/pod-{n}"), id="deletions"),
        pytest.param(lambda n: a_call("deletecollection", f"pods.group-{n}/"), id="deletions of kinds"),
        pytest.param(
            lambda n: a_call("create", "serviceaccounts/a (token)", issued_credential=f"JTI={n}"), id="tokens"
        ),
        pytest.param(lambda n: a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED), id="streams that stay open"),
        pytest.param(lambda n: a_call("watch", "pods/"), id="streams that have ended"),
        pytest.param(lambda n: a_call(source_addresses=(f"2001:db8::{n:x}",)), id="sources"),
        pytest.param(lambda n: refused("get", f"pods/pod-{n}"), id="refused calls"),
        pytest.param(lambda n: a_call("get", f"pods/pod-{n}", reason=STANDING), id="candidates"),
        pytest.param(lambda n: of_account(credential=f"JTI={n}", pod=(f"pod-{n}", "uid")), id="nobody's"),
        pytest.param(lambda n: of_account(credential=f"JTI={n}", pod=("debug", "uid"), at=AT), id="a pod's"),
        pytest.param(lambda n: of_account(pod=("debug", f"uid-{n}"), at=AT), id="many pods of one name"),
        pytest.param(lambda n: a_call(reason=reason(f"{n:08x}-0000-0000-0000-000000000000")), id="unknown grants"),
        pytest.param(lambda n: a_call("delete", f"pods/pod-{n}", user=BOB, reason="his"), id="deletions by others"),
    ],
)
def test_memory_does_not_grow_with_the_calls(make: Callable[[int], Call], low_bounds: None) -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"))
    gc.freeze()  # what other tests have left need not be looked at again and again
    tracemalloc.start()
    try:
        # After the first hundred, each memory has reached its bound.
        used = [feed(monitor, range(since, since + calls), make) for since, calls in STEPS]
        # Forty bytes a call. What libraries keep for good when they are first used is in some of the steps only.
        assert min(after - before for before, after in pairwise(used)) < 40 * 50
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def test_streams_beyond_the_bound_keep_the_answer_open() -> None:
    monitor = AMonitor()
    begun = [a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED) for _ in range(streams.MOST_STREAMS + 2)]
    monitor.arrives(*begun)

    monitor.arrives(*(a_call("watch", "pods/", audit_id=one.audit_id) for one in begun))

    assert monitor.tally().open_streams == ()
    assert monitor.verdict().reasons == ("2 connections began when too many were open to follow them",)


def test_more_objects_than_are_counted_are_said_to_be_more() -> None:
    monitor = AMonitor()
    monitor.arrives(*(a_call("get", f"pods/pod-{number}") for number in range(1_001)))

    verdict = monitor.verdict()

    assert (verdict.reads, verdict.summary) == (1_001, "read more than 1,000 objects")


def test_an_audit_id_that_was_forgotten_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "MOST_AUDIT_IDS", 5)
    monitor = AMonitor()

    monitor.arrives(a_call(audit_id="mine"), *(a_call() for _ in range(10)), a_call("delete", audit_id="mine"))

    assert monitor.verdict().changes == "Yes"
