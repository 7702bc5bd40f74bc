"""SPIN checks `model/failover.pml`: with all rules no promise breaks, and without any one of them one does."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.scale import drawn, soaks

MODEL = Path(__file__).parents[2] / "model" / "failover.pml"

NEEDED = [name for name in ("spin", "gcc") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(NEEDED), reason=f"{' and '.join(NEEDED)} missing; on Debian: apt-get install spin gcc"
)

CRASH, LAPSE, LOSS = ("CRASHES=1", "LAPSES=0"), ("CRASHES=0", "LAPSES=1"), ("CRASHES=0", "LOSSES=1")

TROUBLES = [
    pytest.param(CRASH, id="a replica dies anywhere"),
    pytest.param(LAPSE, id="a leader is suspended anywhere"),
]
"""Outside of `make soak`, one of them: SPIN needs five seconds for each, and a quarter of one to break a promise."""
if soaks():
    TROUBLES.append(pytest.param(LOSS, id="a call or its answer is lost or late"))

RULES = [
    pytest.param(1, "RECORD_FIRST", CRASH, "P2"),
    pytest.param(2, "END_AHEAD", CRASH, "P1: not born dead"),
    pytest.param(3, "EVERYBODY_ENDS", (*CRASH, "PATIENT"), "P1"),
    pytest.param(4, "UID", (*LAPSE, "RESTORED"), "P10"),
    pytest.param(5, "VERSION", CRASH, "P7: none is lost"),
    pytest.param(6, "OUTBOX", CRASH, "P7, P10"),
    pytest.param(7, "CREATE_ONLY", CRASH, "P7: nothing is replaced"),
    pytest.param(8, "FENCE", CRASH, "P7: nobody writes beside the leader"),
    pytest.param(9, "LEASE", LAPSE, "P7: nobody writes beside the leader"),
    pytest.param(10, "READ_BACK", LAPSE, "P10"),
    pytest.param(11, "ADOPT", CRASH, "P7: nothing is there twice"),
]


def check(folder: Path, *defined: str, optimise: str = "-O0") -> str:
    """Let SPIN try everything, in a folder of its own, and return what it reports."""
    options = [f"-D{each}" for each in defined]
    for command in (
        ["spin", *options, "-a", str(MODEL)],
        ["gcc", optimise, "-w", "-DSAFETY", "-DNOREDUCE", "-DHC4", "-o", "pan", "pan.c"],
        ["./pan", "-m1000000"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def broken_promise(folder: Path, *defined: str) -> str:
    """Return what the model states beside the assertion that the counterexample breaks."""
    options = [f"-D{each}" for each in defined]
    command = ["spin", *options, "-k", "failover.pml.trail", "-B", str(MODEL)]
    replayed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    line = re.search(r"failover\.pml:(\d+), Error: assertion violated", replayed.stdout)
    assert line is not None, replayed.stdout
    stated = MODEL.read_text(encoding="utf-8").splitlines()[int(line[1]) - 1 :]
    return next(found[1] for each in stated if (found := re.search(r"/\* (P\d.*?) \*/", each)) is not None)


@pytest.mark.parametrize("trouble", drawn(TROUBLES, "failover"))
def test_with_all_rules_no_promise_breaks(
    trouble: tuple[str, ...], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    reported = check(tmp_path, *trouble, optimise="-O1")

    assert "errors: 0" in reported, reported
    states = re.search(r"(\d+) states, stored", reported)
    assert states is not None
    assert int(states[1]) > 100_000, "most of the model was not tried"
    record_property("states", int(states[1]))


@pytest.mark.parametrize(("number", "rule", "trouble", "promise"), drawn(RULES, "rules", 3))
def test_without_a_rule_a_promise_breaks(
    number: int, rule: str, trouble: tuple[str, ...], promise: str, tmp_path: Path
) -> None:
    defined = (f"WITHOUT={number}", *trouble)
    assert re.search(rf"#define {rule} +\(WITHOUT != {number}\)", MODEL.read_text(encoding="utf-8"))

    reported = check(tmp_path, *defined)

    assert "errors: 1" in reported, reported
    assert promise == broken_promise(tmp_path, *defined)


def test_each_rule_is_left_out_once() -> None:
    stated = re.findall(r"#define (\w+) +\(WITHOUT != (\d+)\)", MODEL.read_text(encoding="utf-8"))

    assert stated == [(rule.values[1], str(rule.values[0])) for rule in RULES]
