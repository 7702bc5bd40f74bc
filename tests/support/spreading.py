"""How tests are spread over several processes: what shares something costly stays together, and what takes long begins first.

Each process has servers of its own, so whatever a test does to the cluster is seen by the tests of its own process only.
"""

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

FROM: Final = "tests/"

TOGETHER: Final = {
    # The demo is run once for all of them.
    "docs": ("docs/",),
    # The stage of all attacks.
    "attacks": ("attacks/",),
    # The ninety days of the company are made once.
    "corpus": ("corpus/test_corpus.py", "corpus/test_shapes.py"),
    # These two have servers of their own. All others share a control plane that sends its audit events, and many a monitor.
    "scripted": ("integration/monitor/test_scripted_sessions.py",),
    "followed": ("integration/monitor/test_followed_file.py",),
    "monitor": ("integration/monitor/",),
    # A cluster in which releases come and go.
    "releases": ("integration/chart/test_hooks.py", "integration/chart/test_upgrading.py"),
    # A cluster in which a healthy Curfew is installed.
    "healthy": ("integration/doctor/",),
    # The busy minute is played once.
    "minute": ("integration/operator/test_lifecycle.py", "integration/operator/test_bad_requests.py"),
}
"""Tests that share something costly, by the beginnings of their names."""

APART: Final = ("property/",)
"""Files whose tests share nothing, and take long: each test is for itself."""

FIRST: Final = (
    "monitor",
    "minute",
    "attacks",
    "docs",
    "integration/operator/test_kill.py",
    "scripted",
    "integration/operator/test_under_512_mib.py",
    "integration/operator/test_finished.py",
    "integration/operator/test_metrics.py",
    "integration/operator/test_replicas.py",
    "corpus",
    "releases",
    "integration/operator/test_outages.py",
    "integration/operator/test_set_back.py",
    "integration/enforcement/test_enforcement.py",
    "property/test_world.py::test_a_planted_bug_is_found",
    "integration/operator/test_chaos.py",
    "followed",
    "integration/chart/test_apart.py",
    "healthy",
    "unit/adapters/intake/test_files.py",
    "unit/trail/test_crashes.py",
    "integration/operator/test_rules.py",
    "integration/operator/test_locks.py",
    "integration/operator/test_activity.py",
    "integration/operator/test_plugin.py",
    "integration/operator/test_namespaces.py",
    "integration/operator/test_refused_on_time.py",
    "integration/operator/test_bad_stores.py",
    "unit/cli/test_report.py",
    "integration/chart/test_rules.py",
    "integration/operator/test_keys.py",
    "integration/bench/test_benches.py",
    "integration/operator/test_sweeping_alone.py",
    "integration/operator/test_no_kinds.py",
    "simulation/test_simulation.py",
    "integration/operator/test_offers.py",
    "integration/operator/test_roles.py",
    "integration/operator/test_terms.py",
    "integration/bench/test_lives.py",
    "property/test_world.py::test_random_people_break_no_promise",
    "integration/operator/test_counting.py",
    "integration/test_audit_feed.py",
    "simulation/test_failover_model.py",
    "integration/operator/test_rights_used.py",
    "integration/operator/test_enforcement.py",
    "integration/operator/test_random.py",
    "integration/operator/test_flood.py",
    "corpus/test_restarts.py",
    "integration/operator/test_longest.py",
    "integration/operator/test_policies.py",
    "integration/operator/test_races.py",
    "unit/trail/test_two_logs.py",
    "integration/operator/test_copies.py",
    "integration/operator/test_clock.py",
    "integration/operator/test_statuses.py",
    "integration/operator/test_keeping.py",
    "integration/test_getting_curfew.py",
    "unit/core/activity/test_bounds.py",
    "integration/trail/test_attestation.py",
    "integration/trail/test_other_dialects.py",
    "integration/trail/test_trail_on_a_bucket.py",
    "integration/chart/test_installing.py",
    "integration/test_intake.py",
    "integration/test_node.py",
    "unit/recorded/test_recorded.py",
    "integration/trail/test_exchanged_keys.py",
    "integration/test_audit_events.py",
    "integration/trail/test_cut_at_its_beginning.py",
    "integration/trail/test_processes.py",
    "integration/test_under_512_mib.py",
    "unit/monitor/test_canaries.py",
    "unit/cli/test_audit_index.py",
    "property/test_crash.py::test_whatever_fails_the_story_ends_the_same",
)
"""What takes longest, the longest first: whatever begins last should be short. What waits is mixed with what computes."""


def unit(test: str) -> str:
    """Return the name of those tests that one process runs one after another."""
    name = test.removeprefix(FROM)
    for together, beginnings in TOGETHER.items():
        if name.startswith(beginnings):
            return together
    return name.partition("[")[0] if name.startswith(APART) else name.partition("::")[0]


def place(test: str) -> int:
    """Return where in the order a test is: small is early."""
    name = unit(test)
    return FIRST.index(name) if name in FIRST else len(FIRST)


class Spreading(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Gives each process one unit after another."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        """Keep the order in which the tests were collected."""
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
