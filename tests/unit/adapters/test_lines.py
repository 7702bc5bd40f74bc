"""Lines reach a monitor once it has room, over a connection that is trusted, or the sender learns why not."""

from pathlib import Path

import pytest

from curfew.adapters.lines import LONGEST_PAUSE, PATIENCE, LineSender, LinesNotSent, LinesNotWanted
from tests.support.taking import Answer, Intake, listening

OK: Answer = (200, "", {})


class Pauses(list[float]):
    """Notes for how long a sender would have waited, and waits for nothing."""

    async def __call__(self, seconds: float) -> None:
        """Note a pause."""
        self.append(seconds)


def sender(intake: Intake, pauses: Pauses | None = None) -> LineSender:
    return LineSender(
        f"{intake.url}/lines/x?mapping=y", intake.token_file, intake.ca, pause=Pauses() if pauses is None else pauses
    )


async def test_a_batch_is_sent_with_the_token(tmp_path: Path) -> None:
    async with listening(Intake(tmp_path)) as intake, sender(intake) as sending:
        await sending.send(b"a\nb\n")
        intake.token_file.write_text("\n  new0ne \nother\n")
        await sending.send(b"c\n")

    assert intake.bodies == [b"a\nb\n", b"c\n"]
    assert intake.addresses == ["/lines/x?mapping=y"] * 2
    assert intake.tokens == ["Bearer t0ken", "Bearer new0ne"]


@pytest.mark.parametrize("status", [408, 429, 502, 503])
async def test_what_cannot_be_taken_yet_is_sent_again_after_the_pause_that_was_asked_for(
    tmp_path: Path, status: int
) -> None:
    answers = [(status, "wait", {"Retry-After": "7"}), (status, "wait", {}), OK]
    pauses = Pauses()
    async with listening(Intake(tmp_path, lambda number: answers[number])) as intake, sender(intake, pauses) as sending:
        await sending.send(b"a\n")

    assert pauses == [7.0, 2.0]
    assert intake.bodies == [b"a\n"]


@pytest.mark.parametrize(
    ("asked", "waited"), [("0", 1.0), ("9999", LONGEST_PAUSE), ("soon", 1.0), ("-1", 1.0), ("1" * 400, 1.0)]
)
async def test_no_pause_is_too_short_or_too_long(tmp_path: Path, asked: str, waited: float) -> None:
    answers = [(503, "", {"Retry-After": asked}), OK]
    pauses = Pauses()
    async with listening(Intake(tmp_path, lambda number: answers[number])) as intake, sender(intake, pauses) as sending:
        await sending.send(b"a\n")

    assert pauses == [waited]


async def test_it_gives_up_after_some_minutes(tmp_path: Path) -> None:
    pauses = Pauses()
    async with (
        listening(Intake(tmp_path, lambda _: (503, "no store.", {}))) as intake,
        sender(intake, pauses) as sending,
    ):
        with pytest.raises(LinesNotSent, match=r"has not taken the lines for \d+ s. It answered 503: no store\.$"):
            await sending.send(b"a\n")

    assert PATIENCE - LONGEST_PAUSE < sum(pauses) <= PATIENCE


@pytest.mark.parametrize("status", [400, 401, 404, 413, 301, 500, 204])
async def test_a_refusal_is_final(tmp_path: Path, status: int) -> None:
    answer: Answer = (status, "Write one of x, y.", {"Location": "https://127.0.0.1:1/"})
    pauses = Pauses()
    async with listening(Intake(tmp_path, lambda _: answer)) as intake, sender(intake, pauses) as sending:
        with pytest.raises(LinesNotWanted, match=f"The monitor refused the lines. It answered {status}: "):
            await sending.send(b"a\n")

    assert pauses == []
    assert len(intake.addresses) == 1


async def test_a_monitor_that_is_down_is_tried_again(tmp_path: Path) -> None:
    async with listening(Intake(tmp_path)) as intake:
        pass  # nobody listens any more
    async with sender(intake) as sending:
        with pytest.raises(LinesNotSent, match="It cannot be reached"):
            await sending.send(b"a\n")


async def test_a_certificate_of_another_authority_gets_no_token(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with listening(Intake(tmp_path / "other")) as other, listening(Intake(tmp_path)) as intake:
        pauses = Pauses()
        async with LineSender(intake.url, intake.token_file, other.ca, pause=pauses) as sending:
            with pytest.raises(LinesNotSent, match=r"certificate is not trusted.*Give its authority with --ca"):
                await sending.send(b"a\n")

    assert (intake.tokens, pauses) == ([], [])


@pytest.mark.parametrize("token", ["", "two words", "S3CRET\x00", "S3CRÉT"])
async def test_a_token_that_is_none_is_not_shown(tmp_path: Path, token: str) -> None:
    async with listening(Intake(tmp_path)) as intake, sender(intake) as sending:
        intake.token_file.write_text(token)
        with pytest.raises(LinesNotWanted, match="holds no token") as caught:
            await sending.send(b"a\n")

    assert "S3CR" not in str(caught.value)
    assert intake.tokens == []


def test_an_authority_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("rubbish")

    with pytest.raises(LinesNotWanted, match=r"ca\.crt holds no certificates in PEM"):
        LineSender("https://127.0.0.1", tmp_path / "token", tmp_path / "ca.crt")
