"""A class has a name of its own: who reads it knows which is meant, whatever was imported."""

import ast
from collections import Counter
from pathlib import Path

CURFEW = Path(__file__).parents[2] / "operator" / "curfew"


def test_no_public_class_has_the_name_of_another() -> None:
    names = Counter(
        node.name
        for path in CURFEW.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, count in names.items() if count > 1] == []
