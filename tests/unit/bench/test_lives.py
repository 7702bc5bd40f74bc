"""What is computed from what was seen of requests' lives."""

import json
from pathlib import Path

import pytest

from bench.figures import at_least, at_most
from bench.lives.measuring import Seen
from bench.lives.profile import as_profile
from bench.lives.statistics import nearest, spread
from bench.lives.table import TABLE, Row, table
from bench.lives.usage import calls_since


@pytest.mark.parametrize(("share", "value"), [(0.01, 1), (0.5, 50), (0.505, 51), (0.99, 99), (1, 100)])
def test_a_share_is_a_value_that_was_seen(share: float, value: float) -> None:
    assert nearest([float(n) for n in range(1, 101)], share) == value


def test_a_spread_does_not_depend_on_the_order() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"p50": 2, "p99": 3, "max": 3}
    assert spread([7.0]) == {"p50": 7, "p99": 7, "max": 7}


def test_a_bound_is_the_floors_value_so_many_times() -> None:
    assert Row("a", "time", "ms", times=2).bound(10) == at_most(20)
    assert Row("a", "rate", "/s", times=0.5, more_is_better=True).bound(10) == at_least(5)
    assert Row("a", "calls", "", limit=9).bound(2) == at_most(9)


def test_without_a_floor_only_numbers_are_bounds() -> None:
    assert Row("a", "time", "ms", times=2).bound(None) is None
    assert Row("a", "calls", "", limit=9).bound(None) == at_most(9)


def test_the_table_has_what_was_measured_and_judges_it() -> None:
    seen = {
        "floor": Seen({"slow_p50_ms": 10.0, "burst_per_s": 400.0}, {}),
        "curfew": Seen({"slow_p50_ms": 17.0, "burst_per_s": 200.0}, {}),
    }

    slow, burst = table(seen)

    assert (slow.is_missed, burst.is_missed) == (True, False)
    assert slow.against == "floor: 10 ms, ratio 1.70, to reach 1.6"
    assert burst.against == "floor: 400 /s, ratio 0.50, to reach 0.4"


def test_the_figure_of_memory_tells_of_how_many_requests() -> None:
    (memory,) = table({"curfew": Seen({"memory_mb": 140.0, "memory_requests": 1700.0}, {})})

    assert memory.what == "memory after 1700 requests"
    assert memory.against == "the floor was not measured"


def test_no_two_rows_are_the_same() -> None:
    assert len({row.name for row in TABLE}) == len({row.what for row in TABLE}) == len(TABLE)


def call(verb: str, resource: str, **fields: object) -> dict[str, object]:
    """Return an event of the audit log."""
    about = {"resource": resource, "namespace": "payments", "name": "x"}
    event = {"stage": "ResponseComplete", "verb": verb, "user": {"username": "operator"}, "objectRef": about}
    return {**event, **fields}


def test_calls_are_counted_by_verb_and_resource_from_a_place_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    earlier = json.dumps(call("create", "rolebindings")) + "\n"
    events = [
        call("patch", "accessrequests", objectRef={"resource": "accessrequests", "subresource": "status"}),
        call("create", "rolebindings"),
        call("create", "rolebindings", user={"username": "somebody", "groups": ["operator"]}),
        call("watch", "rolebindings"),
        call("delete", "rolebindings", stage="ResponseStarted"),
        call("create", "rolebindings", objectRef={"resource": "rolebindings", "namespace": "elsewhere"}),
        call("get", "", objectRef={}, requestURI="/readyz"),
    ]
    log.write_text(earlier + "".join(json.dumps(event) + "\n" for event in events) + '{"user": "operator')

    counted = calls_since(log, len(earlier), "operator", "payments")

    assert counted == {"patch accessrequests/status": 1, "create rolebindings": 1}


def test_a_profile_counts_a_function_once_for_a_stack() -> None:
    lines = as_profile("run:main;app:loop;app:loop;json:dumps 3\nrun:main;app:loop 1\n").splitlines()

    assert lines[0] == "4 samples"
    assert "   75.0%  json:dumps" in lines
    assert "  100.0%  app:loop" in lines
