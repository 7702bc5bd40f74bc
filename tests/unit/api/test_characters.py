"""Names that a reader can tell apart, and words of which something can be seen."""

import sys
import unicodedata
from pathlib import Path

import pytest
import re2

from curfew.api.characters import (
    BLANK,
    CONTROL,
    IGNORABLE,
    JOINERS,
    NAME,
    NOT_COMPOSED,
    UNSEEN_IN_A_LINE,
    UNSEEN_IN_NAMES,
    UNSEEN_IN_WORDS,
    VISIBLE,
    person,
    visible,
)

POLICIES = Path(__file__).parents[3] / "charts" / "curfew" / "templates" / "policies"
UNSEEN = (
    "\u200b\u200c\u200d\u200e\u200f\u061c\u00ad\u2028\u2029\u202e\u2060\u2066\u2800\u3164\uffa0\ufeff\U000e0041\ufe0f"
)


def is_name(name: str) -> bool:
    """Whether the schema takes a name."""
    is_seen = re2.search(NAME, name) and not re2.search(UNSEEN_IN_NAMES, name)
    return bool(is_seen and not re2.search(NOT_COMPOSED, name))


@pytest.mark.parametrize(
    "name",
    [
        "alice@example.com",
        "oidc:https://login.example.com/#alice+payments@example.com",
        "CN=Alice Smith,OU=Payments,O=Example",
        "system:serviceaccount:argocd:argocd-application-controller",
        "zoë@example.com",
        "王小明",
        "वि.कुमार",
        "Нина",
        "0b9a1c7e-4b1d-4c58-9c0e-1f2f5f2f8a11",
    ],
)
def test_names_that_people_have_are_taken(name: str) -> None:
    """In every script, and as login services make them."""
    assert is_name(name)


@pytest.mark.parametrize("char", [*UNSEEN, "\x00", "\n", "\x7f", "\x9b", "\u00a0", "\u0378", "\ue000", "\U000e01ef"])
def test_no_name_has_what_cannot_be_seen(char: str) -> None:
    """Control, format, invisible, unassigned and private characters, and spaces that are not the usual one."""
    assert not is_name(f"ali{char}ce@example.com")


@pytest.mark.parametrize("name", ["", " ", " alice", "alice ", "alice  smith"])
def test_spaces_in_names_are_single_and_inside(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["zoe\u0308", "A\u030angstrom", "\u212bngstrom", "\u212aelvin"])
def test_no_name_is_written_in_two_ways(name: str) -> None:
    """An accent is in one character with its letter, as in normal form C."""
    assert not is_name(name)
    assert is_name(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize("char", UNSEEN)
def test_nothing_unseen_fills_a_reason(char: str) -> None:
    """Ten of them are not ten characters, and most are refused."""
    assert visible(char * 10) == 0
    assert visible(f"on {char}call") == visible("on call")
    assert bool(re2.search(UNSEEN_IN_WORDS, char)) == (char not in "\u200c\u200d\ufe0f")


def test_what_people_write_is_taken_as_it_is() -> None:
    """Lines, emoji with joiners, and scripts with signs above and below."""
    for text, seen in [("worker  crash-\n\tloops ", 19), ("👩‍💻 ok", 5), ("می‌خواهم", 7), ("नमस्ते", 4)]:
        assert not re2.search(UNSEEN_IN_WORDS, text)
        assert visible(text) == seen
    assert re2.search(UNSEEN_IN_A_LINE, "INC\n1")


def test_admission_counts_as_we_do() -> None:
    """The expression is the same in the chart, and finds what is counted here."""
    for name in ("request-terms", "decision-reason"):
        assert (POLICIES / f"{name}.yaml").read_text().count(VISIBLE) == 2
    refused = [range(first, last + 1) for table in (CONTROL, IGNORABLE, BLANK) for first, last in table]
    differ = [
        hex(point)
        for point in (*range(0x20000), *range(0xE0000, 0xE0200))  # where all scripts and signs are
        if not 0xD800 <= point <= 0xDFFF
        and not any(point in one for one in refused)
        and unicodedata.category(chr(point)) != "Cn"  # one of the two may know a newer Unicode
        and bool(re2.search(VISIBLE, chr(point))) != (visible(chr(point)) == 1)
    ]

    assert differ == []


def test_the_tables_hold_what_unicode_calls_so() -> None:
    """Every format character is in them, but for those that are signs of Arabic, Syriac and others, and are seen."""
    tables = [range(first, last + 1) for table in (IGNORABLE, JOINERS, BLANK) for first, last in table]
    formats = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) == "Cf"]
    seen = [unicodedata.name(char) for char in formats if not any(ord(char) in table for table in tables)]

    assert all("SIGN" in name or "MARK" in name or "AYAH" in name or "EGYPTIAN" in name for name in seen), seen


@pytest.mark.parametrize(
    ("one", "other"),
    [("alice@example.com", "Alice@Example.COM"), ("zoë", "ZOE\u0308"), ("straße", "STRASSE"), ("Ωmega", "ωmega")],
)
def test_one_person_in_two_spellings(one: str, other: str) -> None:
    assert person(one) == person(other)


def test_two_people_who_look_alike() -> None:
    """Letters of other scripts are others: that is for the login service to keep out."""
    assert person("alice") != person("аlice")  # noqa: RUF001
