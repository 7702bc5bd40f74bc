"""A program is measured from outside, with all that it starts."""

import os
import sys
import time

import pytest

from bench.process import Failed, run
from tools.servers.progress import Progress


def python(code: str, *arguments: str) -> list[str]:
    """Return the command that runs some Python."""
    return [sys.executable, "-c", code, *arguments]


def test_time_and_output_are_those_of_the_program() -> None:
    begun = time.monotonic()
    ran = run(python("import time; time.sleep(0.2); print('done')"), Progress("a program"))

    assert ran.output == "done\n"
    assert 0.2 <= ran.seconds <= time.monotonic() - begun


def test_the_processor_s_time_is_that_of_the_program_and_of_what_it_starts() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {busy!r}]); time.sleep(0.5)"

    ran = run(python(parent), Progress("a program"), cores=1)

    assert 0.3 <= ran.processor <= ran.seconds - 0.4


def test_memory_is_that_of_the_program_and_of_what_it_starts() -> None:
    child = "held = bytes(1) * 60_000_000; import time; time.sleep(2)"
    parent = f"held = bytes(1) * 40_000_000; import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    peak = run(python(parent), Progress("a program")).peak

    assert 100e6 < peak < 200e6


def test_a_program_keeps_to_its_cores_and_so_do_we_afterwards() -> None:
    before = os.sched_getaffinity(0)
    ran = run(python("import os; print(len(os.sched_getaffinity(0)))"), Progress("a program"), cores=1)

    assert ran.output == "1\n"
    assert os.sched_getaffinity(0) == before


def test_variables_are_added_for_the_program_alone() -> None:
    ran = run(python("import os; print(os.environ['MEASURED'])"), Progress("a program"), environ={"MEASURED": "yes"})

    assert ran.output == "yes\n"
    assert "MEASURED" not in os.environ


def test_a_program_that_fails_is_not_measured_and_its_last_words_are_told() -> None:
    with pytest.raises(Failed, match="ended with 3: the log is gone"):
        run(python("import sys; print('the log is gone', file=sys.stderr); sys.exit(3)"), Progress("a program"))
