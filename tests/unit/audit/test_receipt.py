"""A receipt has one form in JSON and one in text, and is read from nothing else."""

import pytest

from curfew.audit.receipt import Receipt

ROOT = "0123456789abcdef" * 4
RECEIPT = Receipt("main", 41, 42, ROOT)


def test_a_receipt_is_read_back() -> None:
    assert Receipt.parse(RECEIPT.compact()) == RECEIPT
    assert Receipt.from_json(RECEIPT.to_json()) == RECEIPT
    assert RECEIPT.compact() == f"main/41/42/{ROOT}"
    assert RECEIPT.to_json() == {"log": "main", "index": 41, "size": 42, "root": ROOT}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "main/41/42",
        f"/41/42/{ROOT}",
        f"main/42/42/{ROOT}",
        f"main/-1/42/{ROOT}",
        f"main/041/42/{ROOT}",
        f"main/4_1/42/{ROOT}",
        f"main/ 41/42/{ROOT}",
        f"main/\u0664/42/{ROOT}",
        f"main/41/42/{ROOT[:-1]}",
        f"main/41/42/{ROOT.upper()}",
        f"main/41/42/{ROOT}\n",
        f"main/41/42/{ROOT}/",
        f"main/41/{'9' * 5000}/{ROOT}",
    ],
)
def test_what_is_not_exactly_a_receipt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"receipt|log|index|root"):
        Receipt.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"log": ""},
        {"log": "a/b"},
        {"log": 1},
        {"index": "41"},
        {"index": 42},
        {"index": 1.0},
        {"size": True},
        {"root": "ab"},
    ],
    ids=str,
)
def test_json_that_is_not_a_receipt_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"receipt|log|index|root"):
        Receipt.from_json({**RECEIPT.to_json(), **change})


@pytest.mark.parametrize("field", ["log", "index", "size", "root"])
def test_json_that_lacks_something_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="a receipt has"):
        Receipt.from_json({key: value for key, value in RECEIPT.to_json().items() if key != field})
