"""JSON from outside: the number of its values is bounded, at little cost, before it is parsed."""

import tracemalloc

import pytest

from curfew.audit.untrusted_json import TooManyValues, parse_given


def test_signs_in_texts_are_no_values() -> None:
    assert parse_given(b'["a,b,c,[{:", {"k\\",": 1}]', 5) == ["a,b,c,[{:", {'k",': 1}]


@pytest.mark.parametrize("data", [b"[1,2,3]", b'{"a":1,"b":2}', b"[[[[[]]]]]", b'[",",",",","]'])
def test_more_values_than_allowed_are_refused(data: bytes) -> None:
    with pytest.raises(TooManyValues):
        parse_given(data, 2)


@pytest.mark.parametrize("item", [b'"",', b'"",[],', b'{"a":'])
def test_counting_needs_little_memory_however_many_texts_there_are(item: bytes) -> None:
    """Whoever sends it chooses how: a batch of audit events may hold whole objects."""
    data = b"[" + item * 300_000

    tracemalloc.start()
    try:
        with pytest.raises(TooManyValues):
            parse_given(data, 250_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data)
