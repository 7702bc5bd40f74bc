"""A mapping file is read whole, or refused with a sentence for each problem."""

from pathlib import Path

import pytest

from curfew.settings.loading import SettingsRefused
from curfew.settings.mappings import load_mapping, load_mappings

LEAST = "system: ledger\ntime: {field: at}\nperson: who\n"


def written(folder: Path, text: str, name: str = "ledger.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a mapping, without its folder."""
    with pytest.raises(SettingsRefused) as caught:
        load_mapping(written(folder, text))
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_little_has_to_be_said(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, LEAST))

    assert (mapping.system, mapping.time.format.value) == ("ledger", "RFC3339")
    assert [selector.field for selector in mapping.person] == ["who"]
    assert mapping.wants({})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "system: kubernetes",
            ":4: system is kubernetes, whose records are others; write the name of the other system.",
        ),
        (
            "ticket: {field: 'a..b'}",
            ": ticket.0.field is 'a..b', which is not a path of up to 16 steps; write names with",
        ),
        ("ticket: {field: a, pattern: '('}", ": ticket.0.pattern is not a pattern in RE2's syntax of up to 1,000"),
        (
            r"ticket: {field: a, pattern: '(?P<value>x)\1'}",
            ": ticket.0.pattern is not a pattern in RE2's syntax of up to",
        ),
        (
            "ticket: {field: a, pattern: 'I-[0-9]+'}",
            ": ticket.0.pattern does not show what to take; put it into a group,",
        ),
        ("ticket: [a, {feild: b}]", ": ticket.1.field is missing; write, for example, user.name."),
        ("only: {kind: []}", ":4: only has no list of texts at kind; write, for example, [login, logout]."),
        (
            "only: kind",
            ":4: only is no table; write a path and the values that are wanted, such as kind: [login, logout].",
        ),
        ("tickets: a", ":4: there is no setting tickets; did you mean ticket?"),
    ],
)
def test_a_mistake_is_shown_with_its_line_and_what_to_write(tmp_path: Path, text: str, problem: str) -> None:
    lines = LEAST if not text.startswith("system") else LEAST.replace("system: ledger\n", "#\n")

    assert [found for found in problems(tmp_path, f"{lines}{text}\n") if found.startswith(f"ledger.yaml{problem}")]


def test_an_unknown_form_of_time_is_answered_with_those_that_are_known(tmp_path: Path) -> None:
    assert problems(tmp_path, LEAST.replace("{field: at}", "{field: at, format: epoch}")) == [
        "ledger.yaml:2: time.format is 'epoch'; write one of RFC3339, UnixSeconds, UnixMilliseconds, PostgreSQL."
    ]


def test_a_mapping_that_can_tie_nothing_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "system: ledger\ntime: {field: at}\n") == [
        "ledger.yaml: correlation is missing, and so are grant, ticket and person; without any, no line belongs to anybody."
    ]


def test_values_are_compared_as_json_writes_them(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, LEAST + "only: {ok: [true, 1], kind: call}\n"))

    assert mapping.wants({"ok": True, "kind": "call"})
    assert mapping.wants({"ok": "1", "kind": "call"})
    assert not mapping.wants({"ok": "True", "kind": "call"})
    assert not mapping.wants({"ok": True})


def test_each_system_has_one_mapping(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, LEAST),
        written(tmp_path, LEAST.replace("ledger", "accounts"), "accounts.yaml"),
        written(tmp_path, LEAST, "again.yaml"),
    ]

    assert list(load_mappings(paths[:2])) == ["ledger", "accounts"]
    with pytest.raises(SettingsRefused) as caught:
        load_mappings(paths)
    assert caught.value.problems == (
        f"{paths[2]}: system is ledger, which another mapping has already; choose another name.",
    )


def test_everything_that_is_wrong_with_all_files_is_shown_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as caught:
        load_mappings([written(tmp_path, "[", "a.yaml"), tmp_path / "missing.yaml"])

    assert len(caught.value.problems) == 2
