"""Makes a failing schedule as small as it can be made by leaving things out."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tests.simulation.schedule import SimulatedSchedule

T = TypeVar("T")

Fails = Callable[[SimulatedSchedule], bool]


def shrunk(schedule: SimulatedSchedule, fails: Fails) -> SimulatedSchedule:
    """Return a schedule that still fails, and does not if any trouble or any request is left out."""
    schedule = replace(
        schedule, troubles=_without(schedule.troubles, lambda left: fails(replace(schedule, troubles=left)))
    )
    for request in sorted({act.request for act in schedule.people}):
        left = replace(schedule, people=tuple(act for act in schedule.people if act.request != request))
        if left.people and fails(left):
            schedule = left
    return schedule


def _without(items: tuple[T, ...], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Leave out halves, then quarters and so on, as long as it fails without them (delta debugging)."""
    size = max(1, len(items) // 2)
    while items:
        for start in range(0, len(items), size):
            left = (*items[:start], *items[start + size :])
            if fails(left):
                items = left
                break
        else:
            if size == 1:
                break
            size = max(1, size // 2)
        size = min(size, max(1, len(items)))
    return items
