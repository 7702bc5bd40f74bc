"""A seed is a schedule, and every fault comes in ten minutes."""

from tests.chaos.schedule import LASTS, FaultKind, drawn_schedule


def test_a_seed_always_draws_the_same() -> None:
    assert drawn_schedule(7, 600, 2) == drawn_schedule(7, 600, 2)
    assert drawn_schedule(7, 600, 2) != drawn_schedule(8, 600, 2)


def test_each_kind_comes_several_times_in_ten_minutes_and_none_outlasts_the_run() -> None:
    faults = drawn_schedule(7, 600, 2)

    assert min(sum(fault.kind is kind for fault in faults) for kind in FaultKind) >= 3
    assert max(fault.at + fault.lasts for fault in faults) <= 600
    assert {fault.replica for fault in faults} == {0, 1}
    assert LASTS.keys() == set(FaultKind)


def test_leaving_faults_out_leaves_the_others_where_they_were() -> None:
    only = frozenset({FaultKind.KILL_ETCD})

    assert drawn_schedule(7, 600, 2, only) == [one for one in drawn_schedule(7, 600, 2) if one.kind in only]
