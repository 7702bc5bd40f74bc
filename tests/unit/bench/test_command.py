"""`make bench` measures what it is asked to, and its exit code says whether all bounds are met."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import command
from bench.figures import Figure, at_most
from bench.plan import Plan
from bench.process import Failed


def figure(value: float) -> Figure:
    """Return a figure that should be at most 1."""
    return Figure("short", "time", value, "s", "nothing", at_most(1))


@pytest.fixture(autouse=True)
def benches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Plan]:
    """Put benches in place of the real ones, and return the plans that they are given."""
    plans: list[Plan] = []

    def good(plan: Plan) -> Iterator[Figure]:
        plans.append(plan)
        yield figure(0.5)

    def bad(plan: Plan) -> Iterator[Figure]:
        yield figure(2)

    def broken(plan: Plan) -> Iterator[Figure]:
        yield figure(0.5)
        raise Failed("the log is gone")

    benches = {"good": ("1 s", good), "bad": ("2 s", bad), "broken": ("3 s", broken)}
    monkeypatch.setattr(command, "BENCHES", benches)
    monkeypatch.setenv("CURFEW_CACHE", str(tmp_path))
    return plans


def test_what_is_chosen_is_measured_at_the_sizes_that_the_bounds_are_for(
    benches: list[Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["good"]) == 0

    output, told = capsys.readouterr()
    assert output.count("\n") == 2
    assert "1 s" in told
    assert "2 s" not in told
    assert [(plan.records, plan.seconds) for plan in benches] == [(1_000_000, 20)]
    assert not benches[0].folder.exists()


def test_a_bound_that_is_missed_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["good", "bad"]) == 1
    assert "1 of 2 figures miss their bounds" in capsys.readouterr().err


def test_the_figures_alone_go_where_machines_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["good", "bad", "--json"])

    assert [told["met"] for told in json.loads(capsys.readouterr().out)["figures"]] == [True, False]


def test_what_cannot_be_measured_is_said_and_is_no_bound_that_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["broken", "good"]) == 3

    output, told = capsys.readouterr()
    assert "broken cannot be measured: the log is gone" in told
    assert output == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["fast"], "there is no fast to measure; there is good, bad, broken"),
        (["--records", "99"], "argument --records: 99 is too little to measure with; 100 is the least"),
        (["--records", "many"], "argument --records: invalid number value: 'many'"),
        (["--seconds", "0"], "argument --seconds: 0 is too little to measure with; 0.1 is the least"),
        (["--seconds", "nan"], "argument --seconds: nan is too little"),
    ],
)
def test_a_wrong_command_says_what_is_right(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)

    assert ended.value.code == 2
    assert why in capsys.readouterr().err
