"""What an attack is: something that somebody tries, why it must be refused, and its legitimate twin."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from tests.attacks.calling import Answer, Call
from tests.attacks.stage import Scene, Stage


@dataclass(frozen=True, slots=True)
class Refusal:
    """Who refuses, known by the code of the answer and by a piece of its message each; any one of the pieces will do."""

    code: int
    pieces: tuple[str, ...]
    words: str = ""

    def fits(self, answer: Answer) -> bool:
        """Tell whether this is the refusal that was meant, and no other."""
        said = answer.message
        return answer.code == self.code and any(piece in said for piece in self.pieces) and self.words in said


def policy(name: str, sentence: str) -> Refusal:
    """Expect one of the chart's admission policies, by name, to refuse with this sentence."""
    return Refusal(
        HTTPStatus.FORBIDDEN, (f"ValidatingAdmissionPolicy 'curfew-{name}'",), f"denied request: {sentence}".rstrip()
    )


def policies(*names: str) -> Refusal:
    """Expect one of several policies to refuse, where each would and the API server chooses whose words it gives."""
    return Refusal(HTTPStatus.FORBIDDEN, tuple(f"ValidatingAdmissionPolicy 'curfew-{name}'" for name in names))


def schema(*sentences: str) -> Refusal:
    """Expect the definition's schema, or one of its rules, to refuse."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, sentences)


def rights(sentence: str) -> Refusal:
    """Expect RBAC to refuse, before anything else looks at it."""
    return Refusal(HTTPStatus.FORBIDDEN, (sentence,), "forbidden: ")


def conflict(sentence: str) -> Refusal:
    """Expect the API server to refuse because the object is not, or no longer, the one that was meant."""
    return Refusal(HTTPStatus.CONFLICT, (sentence,))


def unreadable(sentence: str, code: int = HTTPStatus.BAD_REQUEST) -> Refusal:
    """Expect the API server not to understand."""
    return Refusal(code, (sentence,))


@dataclass(frozen=True, slots=True)
class Attack:
    """A title that says who tries what; on what; the call; the refusal; and the smallest legitimate change of the call.

    Attack and twin are made on the same prepared scene, one after the other: so the attack has left nothing behind that
    stands in the way, and it was nothing else than the difference between the two that was refused.
    """

    title: str
    on: Callable[[Stage], Scene]
    attempt: Callable[[Scene], Call]
    refused: Refusal
    twin: Callable[[Scene], Call]

    def __str__(self) -> str:
        """Return the title, which names the test."""
        return self.title

    def judge(self, stage: Stage) -> None:
        """Try it, then its twin. Fail unless the one is refused for the reason meant, without a trace, and the other done."""
        scene = self.on(stage)
        before = scene.versions()

        answer = stage.send(self.attempt(scene))
        assert not answer.accepted, f"the attack succeeded: {answer.body}"
        assert self.refused.fits(answer), f"refused otherwise than meant: {answer.code} {answer.message}"
        assert scene.versions() == before, "request or binding are not as they were"

        answer = stage.send(self.twin(scene))
        assert answer.accepted, f"the legitimate twin was refused: {answer.code} {answer.message}"
