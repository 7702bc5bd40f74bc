"""The demo shows what it should, and leaves nothing behind, however it ends."""

import signal
from collections.abc import Callable

import pytest

from tests.docs.telling import Told, demo, left_of, listen
from tests.support.scale import drawn

pytestmark = pytest.mark.integration


def test_every_step_shows_what_it_should(told: Told) -> None:
    """A step that does not would end the demo with its name."""
    assert "steps showed what they should" in told.output, told.output


def test_it_waits_for_the_end_of_the_grant(told: Told, record_property: Callable[[str, object], None]) -> None:
    """One minute is the shortest grant; on an idle machine, all else takes ten seconds."""
    record_property("seconds", told.seconds)

    assert told.seconds > 60


def test_what_it_says_to_type_next_can_be_typed(told: Told) -> None:
    """Another request is asked for, approved, used and revoked; what was done with it is shown."""
    ask, approve, use, revoke, session, tail = told.typed.values()

    assert "created" in ask.stdout, ask.stderr
    assert "patched" in approve.stdout, approve.stderr
    assert "worker" in use.stdout, use.stderr
    assert "patched" in revoke.stdout, revoke.stderr
    assert "Session inc-4713 in payments" in session.stdout, session.stderr
    assert "Because" not in session.stdout, "the monitor did not hear everything"
    assert "carol@example.com revoked request inc-4713" in tail.stdout, tail.stderr
    assert all(done.returncode == 0 for done in told.typed.values())


@pytest.mark.parametrize("moment", drawn(["To type along", "Curfew's chart", "The operator"], "Ctrl-C"))
def test_ctrl_c_ends_everything_at_any_moment(moment: str) -> None:
    """Nothing runs or lies about after it. With --keep, because then it prints where its folder is."""
    with demo("--keep") as process:
        before = listen(process, moment)
        assert left_of(before), "this test would not notice what is left"
        process.send_signal(signal.SIGINT)
        after, _ = process.communicate()

    assert process.returncode == 128 + signal.SIGINT, before + after
    assert left_of(before) == []
