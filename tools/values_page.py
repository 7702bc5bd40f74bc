"""The page with all values of the chart, from the comments of values.yaml and from its schema."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

CHART: Final = Path(__file__).parents[1] / "charts" / "curfew"
LONGEST_DEFAULT: Final = 60  # characters; a longer one is left to values.yaml

HEAD: Final = """\
# Values of the chart

<!-- Drawn by `make generate` from charts/curfew/values.yaml and values.schema.json. Do not edit. -->

Helm refuses a value that is not in these tables, or that has another form, and names its path. `values.yaml` has examples. A
value without a default is optional.

"""

Path_ = tuple[str, ...]


class Value(NamedTuple):
    """One row of a table."""

    path: Path_
    default: str
    what: str


def values_page() -> str:
    """Return the page."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    comments = comments_of(text, schema)
    parts = [HEAD]
    single = [key for key in values if not _inner(schema, schema["properties"][key])]
    parts += ["## The release\n\n", _table(row for key in single for row in rows(schema, values, comments, (key,)))]
    for key in values:
        if key not in single:
            said = comments.get((key,), "")
            parts += [f"\n## {key}\n\n", f"{said}\n\n" if said else "", _table(rows(schema, values, comments, (key,)))]
    return "".join(parts)


def rows(
    schema: Mapping[str, Any], values: Mapping[str, Any], comments: Mapping[Path_, str], path: Path_
) -> Iterator[Value]:
    """Yield a row for each value at or below a path: those of values.yaml in its order, then the optional ones."""
    node = _node(schema, path)
    if properties := _inner(schema, node):
        there = _at(values, path)
        names = [*there, *(name for name in properties if name not in there)] if isinstance(there, dict) else properties
        for name in names:
            yield from rows(schema, values, comments, (*path, name))
        return
    said = comments.get(path) or str(node.get("description", ""))
    choices = [one for one in node.get("enum", ()) if str(one).lower() not in said.lower()]
    if choices:
        said = f"{said}: " if said else ""
        said += f"one of {', '.join(f'`{one}`' for one in choices)}"
    yield Value(path, _default(_at(values, path)), said)


def comments_of(text: str, schema: Mapping[str, Any]) -> dict[Path_, str]:
    """Return the comment above each value, also above one that is itself a comment, such as `# keepFor: 500d`."""
    found: dict[Path_, str] = {}
    above: list[str] = []
    parents: list[str] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            above = []
        elif commented := re.match(r"\s*#(.*)", line):
            optional = re.match(r"\s+([A-Za-z]+):", commented[1])
            path = (*parents[: indent // 2], optional[1]) if optional else ()
            if optional and _is_value(schema, path):
                found.setdefault(path, _sentences(above))
                above = []
            elif not commented[1].strip():
                above = []
            else:
                above.append(commented[1])
        elif key := re.match(r"\s*([A-Za-z]+):", line):
            parents = [*parents[: indent // 2], key[1]]
            found[tuple(parents)] = _sentences(above)
            above = []
    return {path: said for path, said in found.items() if said}


def _sentences(lines: Sequence[str]) -> str:
    """Return the prose of a comment; what is indented in it is an example."""
    return " ".join(line.strip() for line in lines if not line.startswith("   "))


def _is_value(schema: Mapping[str, Any], path: Path_) -> bool:
    try:
        return bool(_node(schema, path))
    except KeyError:
        return False


def _node(schema: Mapping[str, Any], path: Path_) -> Mapping[str, Any]:
    """Return the schema of a value. Raise `KeyError` if there is none."""
    node: Mapping[str, Any] = schema
    for name in path:
        node = _resolved(schema, _resolved(schema, node)["properties"][name])
    return node


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with what it refers to in it; its own description goes first."""
    if "$ref" not in node:
        return node
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**_resolved(schema, target), **node}


def _inner(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values inside of a value, if it is a section of the chart's own and not a field of Kubernetes."""
    node = _resolved(schema, node)
    inner: Mapping[str, Any] = node.get("properties", {})
    return {} if "syntax of Kubernetes" in node.get("description", "") else inner


def _at(values: Any, path: Path_) -> Any:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return None
        values = values[name]
    return values


def _default(value: Any) -> str:
    if value is None:
        return ""
    shown = json.dumps(value, ensure_ascii=False)
    return f"`{shown}`" if len(shown) <= LONGEST_DEFAULT else "see values.yaml"


def _table(found: Iterator[Value]) -> str:
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, said in found:
        lines.append(f"| `{'.'.join(path)}` | {default} | {said.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"
