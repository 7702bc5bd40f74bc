"""Sigma rules, applied to audit events: the part of the specification that the rules of this repository use."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[2] / "examples" / "sigma"

_MODIFIERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "contains": lambda found, wanted: str(wanted).lower() in str(found).lower(),
    "startswith": lambda found, wanted: str(found).lower().startswith(str(wanted).lower()),
    "endswith": lambda found, wanted: str(found).lower().endswith(str(wanted).lower()),
    "gte": lambda found, wanted: isinstance(found, int) and found >= wanted,
}


@dataclass(frozen=True)
class SigmaRule:
    """A rule about single events, or about several (`correlation`)."""

    name: str  # its own, or that of its file
    body: Mapping[str, Any]

    @classmethod
    def all(cls) -> Mapping[str, "SigmaRule"]:
        """Return all rules of the repository, by name. A file may hold a rule about several events after its base."""
        bodies = (
            (path.stem, body) for path in sorted(RULES.rglob("*.yml")) for body in yaml.safe_load_all(path.read_text())
        )
        return {name: cls(name, body) for stem, body in bodies for name in (body.get("name", stem),)}

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether a rule about single events finds this one."""
        detection = self.body["detection"]
        found = {name: _finds(part, event) for name, part in detection.items() if name != "condition"}
        return _decide(detection["condition"], found)

    def found(self, events: Iterable[Mapping[str, Any]], rules: Mapping[str, "SigmaRule"]) -> bool:
        """Whether a rule about several events finds enough of them within its time."""
        told = self.body["correlation"]
        bases = [rules[name] for name in told["rules"]]
        length, condition = _timespan(told["timespan"]), told["condition"]
        groups: dict[tuple[Any, ...], list[tuple[datetime, Any]]] = defaultdict(list)
        for event in events:
            if any(base.matches(event) for base in bases):
                group = tuple(next(_values(event, field), None) for field in told["group-by"])
                value = next(_values(event, condition["field"]), None) if "field" in condition else object()
                groups[group].append((datetime.fromisoformat(event["requestReceivedTimestamp"]), value))
        return any(
            len({value for at, value in group if begin <= at <= begin + length}) >= condition["gte"]
            for group in groups.values()
            for begin, _ in group
        )


def _finds(part: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return all(_is_so(field, wanted, event) for field, wanted in part.items())


def _is_so(field: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    name, _, modifier = field.partition("|")
    values = list(_values(event, name))
    if modifier == "exists":
        return bool(values) is wanted
    compare = _MODIFIERS[modifier] if modifier else _equals
    return any(compare(value, one) for value in values for one in (wanted if isinstance(wanted, list) else [wanted]))


def _equals(found: Any, wanted: Any) -> bool:
    if not isinstance(wanted, str) or not isinstance(found, str):
        return bool(found == wanted and type(found) is type(wanted))
    escaped = re.sub(r"\\\*", "[*]", wanted)  # in Sigma, a star is any text unless it is escaped
    return fnmatchcase(found.lower(), escaped.lower())


def _values(event: Any, path: str) -> Iterator[Any]:
    """Yield the values of a field. Names of annotations have dots in them; lists are looked into."""
    if isinstance(event, Sequence) and not isinstance(event, str):
        for one in event:
            yield from _values(one, path)
    elif not path:
        yield event
    elif isinstance(event, Mapping):
        for key, value in event.items():
            if path == key:
                yield from _values(value, "")
            elif path.startswith(f"{key}."):
                yield from _values(value, path.removeprefix(f"{key}."))


def _decide(condition: str, found: Mapping[str, bool]) -> bool:
    """Return what a condition comes to. It holds names, `and`, `or`, `not`, brackets, `1 of x*` and `all of x*`."""

    def several(matched: re.Match[str]) -> str:
        fitting = [value for name, value in found.items() if fnmatchcase(name, matched[2])]
        assert fitting, f"{matched[0]} names nothing"
        return str(any(fitting) if matched[1] == "1" else all(fitting))

    text = re.sub(r"\b(1|all) of (\w+\*?)", several, condition)
    words = [str(found[word]) if word in found else word for word in re.findall(r"[()]|\w+", text)]
    unknown = [word for word in words if word not in ("True", "False", "and", "or", "not", "(", ")")]
    assert not unknown, f"{condition} has {unknown}"
    return bool(eval(" ".join(words), {"__builtins__": {}}))  # noqa: S307  nothing but the words above


def _timespan(text: str) -> timedelta:
    return timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours"}[text[-1]]: int(text[:-1])})
