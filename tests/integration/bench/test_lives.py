"""The table of access given and ended is measured on real servers: in small, and of the floor alone."""

import math

from bench.lives.measuring import Choice, measure
from bench.lives.rows import SLOWLY, WAVE


def test_each_request_lives_to_its_end() -> None:
    choice = Choice(1.0, ["floor"], [SLOWLY, WAVE], many=10, durable=False, margin=1.0)

    floor = measure(choice, lambda _: None)["floor"]

    assert floor.calls == {"create rolebindings": 1.0, "delete rolebindings": 1.0}
    assert floor.values["calls"] == 2
    assert all(math.isfinite(value) for value in floor.values.values())
    for name in ("slow_p50_ms", "begins_max_s", "gone_p50_s", "alone_late_p99_ms"):
        assert floor.values[name] > 0
