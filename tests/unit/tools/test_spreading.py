"""How the tests are spread over processes, and how much of what is tried again and again is tried."""

from pathlib import Path

import pytest

from tests.support.scale import SEED_VARIABLE, SOAK_VARIABLE, drawn, seed, times
from tests.support.spreading import APART, FIRST, TOGETHER, place, unit

TESTS = Path(__file__).parents[2]


def test_a_file_is_run_by_one_process() -> None:
    assert unit("tests/unit/core/test_plan.py::test_x[a::b]") == "unit/core/test_plan.py"


def test_what_shares_something_costly_is_run_by_one_process() -> None:
    assert {unit("tests/docs/test_demo.py::test_x"), unit("tests/docs/test_readme.py::test_y")} == {"docs"}


def test_each_property_is_for_itself() -> None:
    assert unit("tests/property/test_chain.py::test_x[1]") == "property/test_chain.py::test_x"


def test_what_takes_longest_comes_first() -> None:
    assert [place(f"tests/{name}") for name in FIRST] == list(range(len(FIRST)))
    assert place("tests/unit/core/test_plan.py::test_x") == len(FIRST)


def test_every_name_is_of_something_that_is_there() -> None:
    """What is renamed must not lose its place unseen."""
    paths = [*APART, *(beginning for beginnings in TOGETHER.values() for beginning in beginnings)]
    paths += [name.partition("::")[0] for name in FIRST if name not in TOGETHER]

    assert [path for path in paths if not (TESTS / path).exists()] == []


def test_a_tenth_is_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOAK_VARIABLE, raising=False)
    monkeypatch.setenv(SEED_VARIABLE, "7")
    everything = range(200)

    some = drawn(everything, "this")

    assert (times(200), len(some)) == (20, 20)
    assert list(some) == sorted(set(some))
    assert drawn(everything, "this") == some
    assert drawn(everything, "that") != some
    monkeypatch.setenv(SEED_VARIABLE, "8")
    assert drawn(everything, "this") != some


def test_a_soak_tries_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SOAK_VARIABLE, "1")

    assert times(200) == 200
    assert list(drawn(range(200), "this")) == list(range(200))


def test_little_is_never_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOAK_VARIABLE, raising=False)

    assert (times(3), len(drawn("abc", "this"))) == (1, 1)


def test_a_half_is_drawn_of_what_is_costly_and_of_many_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SOAK_VARIABLE, raising=False)

    assert (times(9, one_in=2), len(drawn(range(9), "this", one_in=2))) == (4, 4)


def test_a_seed_stays_the_same_for_all_processes_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SEED_VARIABLE, raising=False)

    assert seed() == seed()
