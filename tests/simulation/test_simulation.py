"""Two whole operators against models of the API server and the bucket, in virtual time (decision 0097).

Each test runs `python -m tests.simulation` in a process of its own, so that a seed is the same run everywhere.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulation.bugs import BUGS
from tests.simulation.schedule import draw
from tests.simulation.shrinking import shrunk
from tests.support.scale import seed, soaks

Property = Callable[[str, object], None]

HERE = Path(__file__).parents[2]

SEEDS_TO_FIND = 60
"""How many seeds are tried on each planted bug at most."""


def simulate(*options: object) -> tuple[dict[str, Any], str]:
    """Run it, and return the counts of its last line, and all that it printed."""
    command = [sys.executable, "-m", "tests.simulation", *map(str, options)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stdout, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counts, done.stdout


def test_no_schedule_breaks_a_promise(record_property: Property) -> None:
    """400 schedules, or for CURFEW_SIMULATED_SECONDS; 20 outside of `make soak`.

    What fails is printed as the smallest schedule that still fails. `python -m tests.simulation --seed N` repeats it.
    """
    first, count = seed() % 1_000_000, 400 if soaks() else 20
    seconds = os.environ.get("CURFEW_SIMULATED_SECONDS")

    counts, printed = (
        simulate("--for", seconds, "--first", first) if seconds else simulate("--seeds", first, first + count - 1)
    )

    assert counts["broken"] == [], printed
    record_property(
        "schedules", f"{counts['seeds']} from seed {first}, {counts['seeds'] / counts['seconds']:.1f} a second"
    )


def test_each_planted_bug_is_found(record_property: Property) -> None:
    """The test of the test: with a rule left out, a promise breaks. The same seeds break none with all rules."""
    counts, _ = simulate("--bugs", SEEDS_TO_FIND)

    assert set(counts["found"]) == {bug.__name__ for bug in BUGS}
    assert len(BUGS) >= 12
    for name, found in counts["found"].items():
        assert found["seed"] is not None, f"{name} was not noticed"
        assert found["broken without it"] == [], name
    record_property("bugs", ", ".join(f"{name}: seed {found['seed']}" for name, found in counts["found"].items()))


def test_whichever_call_a_replica_dies_at_the_story_ends_the_same(record_property: Property) -> None:
    """Every call of both replicas, before and after its effect, in `make soak`; one in some, drawn by lot, otherwise."""
    every = 1 if soaks() else 20

    counts, _ = simulate("--crashes", every, 1 + seed() % every)

    assert counts["broken"] == []
    assert counts["tried"] > 10
    record_property("crashes", f"{counts['tried']} at the {counts['calls']} calls of a story")


def test_a_seed_is_the_same_run_each_time() -> None:
    assert simulate("--seed", 7)[1].splitlines()[:-1] == simulate("--seed", 7)[1].splitlines()[:-1] != []


def test_a_failing_schedule_is_made_small() -> None:
    """What has nothing to do with the failure is left out."""
    schedule = next(one for one in map(draw, range(100)) if len(one.troubles) > 4)
    guilty = schedule.troubles[1], schedule.troubles[3]

    small = shrunk(schedule, lambda one: set(guilty) <= set(one.troubles))

    assert small.troubles == guilty
    assert len({act.request for act in small.people}) == 1
