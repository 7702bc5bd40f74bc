"""What looks like a secret is masked, in a time that grows with the text and not faster."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.core.masking import _SECRETS, mask

PARTS = [
    "Bearer ",
    "basiC ",
    "ba\u017fic ",
    "eyJ",
    "ab.",
    "https://",
    "me:",
    "x@h",
    "to\u212aen",
    "token",
    "pa\u017f\u017fword",
    "PassWord",
    "=",
    " '",
    "x'",
    "Identified  by",
    "\u0131dentified by ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END ",
    "S3cr3tValue",
    "\n",
    " ",
]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("X-Amz-Security-Token=abc&x=1", "X-Amz-Security-Token=***&x=1"),
        ("my_token=abc, sig=def", "my_token=***, sig=***"),
        ("design=abc", "design=abc"),
        ("ALTER ROLE bob PASSWORD 'x''y' VALID", "ALTER ROLE bob PASSWORD *** VALID"),
        ("create user bob identified  by 'cut", "create user bob identified  by ***"),
    ],
)
def test_values_that_are_named_like_a_secret_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("part", ["a-", "token-", "password '", "sig", "bearer "])
def test_a_long_text_takes_no_quadratic_time(part: str) -> None:
    text = part * 10_000

    began = time.process_time()
    mask(text)

    assert time.process_time() - began < 2  # seconds; quadratic time would be minutes


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_each_pattern_is_tried_on_a_text_that_it_may_be_in(text: str) -> None:
    whole = text
    for secret, instead, _ in _SECRETS:
        whole = secret.sub(instead, whole)

    assert mask(text) == whole
