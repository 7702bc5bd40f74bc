"""The last line of `make test` counts what pytest reported."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tools.run_tests import TESTS, UNSTAMPED, Counts, Part, parts, run, run_beside

OUTCOMES = """
import pytest

def test_passes(): pass
def test_passes_too(): pass
def test_fails(): assert False
def test_is_skipped(): pytest.skip("not here")

@pytest.fixture
def broken(): raise RuntimeError

def test_cannot_begin(broken): pass
"""


def alone(folder: Path) -> list[str]:
    """Return the arguments with which pytest knows nothing but a folder."""
    return ["-p", "no:cacheprovider", "-p", "no:asyncio", "-c", "/dev/null", "--rootdir", str(folder)]


def counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the counts of the tests in a folder, which know nothing of our settings and plugins."""
    counts = Counts()
    pytest.main([*alone(folder), str(folder)], plugins=[counts])
    capsys.readouterr()  # it is not these tests that fail
    return str(counts)


def test_each_outcome_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_outcomes.py").write_text(OUTCOMES)

    assert counted(tmp_path, capsys) == "2 passed, 2 failed, 1 skipped"


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name")

    assert counted(tmp_path, capsys) == "0 passed, 1 failed, 0 skipped"


def test_that_nothing_is_to_be_run_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of words that choose some tests, one of the two runs may know none."""
    (tmp_path / "test_chosen.py").write_text(OUTCOMES)

    none, some = (run([*alone(tmp_path), "-k", word], [str(tmp_path)], Counts()) for word in ("unheard_of", "fails"))

    capsys.readouterr()
    assert (none, some) == (0, 1)


def test_everything_is_run_by_make_test() -> None:
    """No folder of tests is in no part, and what keeps people apart is run on both kinds of control planes."""
    all_tests, unstamped = parts("test", 2)

    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert set(all_tests.names) == folders - {"browser", "pods"}, "those two have commands of their own: they need more"
    assert (all_tests.processes, unstamped.processes) == (5, 1)
    assert (all_tests.is_beside, unstamped.is_beside) == (False, True)
    assert (unstamped.names, unstamped.options) == (UNSTAMPED, ["--without-stamping"])


def test_a_calm_run_is_of_the_same_tests_one_part_after_the_other() -> None:
    whole, calm = parts("test", 2), parts("test", 2, calm=True)

    assert [(part.names, part.options) for part in calm] == [(part.names, part.options) for part in whole]
    assert [(part.processes, part.is_beside) for part in calm] == [(2, False), (2, False)]


def test_what_is_run_beside_is_counted_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own, with ports of its own."""
    (tmp_path / "test_outcomes.py").write_text(OUTCOMES)
    part = Part("Those", [str(tmp_path / "test_outcomes.py")], 1, is_beside=True)
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        status, counts, shown = other.submit(run_beside, part, alone(tmp_path), "1/2").result()

    counts.add(counts)
    assert (status, str(counts)) == (1, "4 passed, 4 failed, 2 skipped")
    assert "Those, in 1 processes:" in shown
    assert "RuntimeError" in shown
    assert capsys.readouterr() == ("", "")


def test_a_soak_runs_what_make_test_runs_and_more() -> None:
    for daily, full in zip(parts("test", 2), parts("soak", 2), strict=True):
        assert daily.options == full.options
        assert all(name.startswith(tuple(full.names)) for name in daily.names)


def test_make_quick_needs_no_servers() -> None:
    assert [list(part.names) for part in parts("quick", 2)] == [["unit", "property", "corpus", "simulation"]]
