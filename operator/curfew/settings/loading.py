"""Reading settings from a YAML file: all of them or nothing, and every problem as a sentence with its line."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from curfew.settings.files import read_given

Model = TypeVar("Model", bound=BaseModel)

MOST_SETTINGS = 1024 * 1024
"""Most bytes of a settings file."""


class SettingsRefused(Exception):
    """The settings cannot be used. Each problem is a sentence with the place, the error and a correct value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path, model: type[Model]) -> Model:
    """Return the settings in a YAML file, or raise `SettingsRefused` with everything that is wrong with them."""
    try:
        node = yaml.compose(read_given(path, MOST_SETTINGS).decode(), Loader=yaml.SafeLoader)
        data = {} if node is None else yaml.SafeLoader("").construct_document(node)
    except OSError as error:
        raise SettingsRefused((f"{path}: cannot be read: {error.strerror or error}.",)) from error
    except UnicodeDecodeError as error:
        raise SettingsRefused((f"{path}: is not text in UTF-8.",)) from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsRefused((f"{path}{line}: is not YAML: {error.problem or error}.",)) from error
    except yaml.YAMLError as error:
        raise SettingsRefused((f"{path}: is not YAML: {error}.",)) from error
    except ValueError as error:  # of a value that looks like a date or a number, and is none
        raise SettingsRefused((f"{path}: holds a value that is not what it looks like; put it in quotes.",)) from error
    except RecursionError:
        raise SettingsRefused((f"{path}: is nested too deeply.",)) from None
    if not isinstance(data, dict):
        raise SettingsRefused((f"{path}: holds no settings; a settings file begins with: audit:",))
    lines, twice = _lines(node)
    problems = [f"{path}:{line}: {key} is set twice; keep one." for key, line in twice]
    try:
        settings = model.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        known = dict(leaves(model))
        problems += (_sentence(path, lines, detail, known) for detail in error.errors())
        raise SettingsRefused(tuple(problems)) from error
    if problems:
        raise SettingsRefused(tuple(problems))
    return settings


def _sentence(path: Path, lines: Mapping[str, int], detail: ErrorDetails, known: Mapping[str, Any]) -> str:
    """Return a problem that pydantic found as a sentence for the author of the file."""
    # If the check of a missing setting fails, pydantic reports the setting by its name in the code.
    is_checked = detail["type"] == "value_error"
    key = ".".join(to_camel(str(part)) if is_checked else str(part) for part in detail["loc"])
    where = f"{path}:{lines[key]}: " if key in lines else f"{path}: "
    known_as = _without_numbers(key)
    match detail["type"]:
        case "missing":
            wrong = f"{key} is missing; {_example(known_as, known)}."
        case "extra_forbidden" | "invalid_key":
            wrong = f"there is no setting {key}; {_meant(known_as, known)}"
        case "value_error":
            wrong = f"{key} {str(detail['ctx']['error']).removesuffix('.')}."
        case "literal_error":
            wrong = f"{key} is {detail['input']!r}; write {detail['ctx']['expected']}."
        case "model_type":
            wrong = f"{key} is {detail['input']!r}; {_example(known_as, known)}."
        case _:
            wrong = f"{key} is {detail['input']!r}: {detail['msg'].lower()}; {_example(known_as, known)}."
    return where + wrong


def _without_numbers(key: str) -> str:
    """Return the dotted name of a setting without its places in lists: intake.files.0.path is intake.files.path."""
    return ".".join(part for part in key.split(".") if not part.isdigit())


def _example(key: str, known: Mapping[str, Any]) -> str:
    """Return an example of a setting, or the settings that a section can hold."""
    inner = [one.removeprefix(f"{key}.").partition(".")[0] for one in known if one.startswith(f"{key}.")]
    if inner:
        return f"write beneath it: {', '.join(dict.fromkeys(inner))}"
    return f"write, for example, {known[key].examples[0]}"


def _meant(key: str, known: Mapping[str, Any]) -> str:
    """Return the setting that was probably meant, or all settings there are."""
    section, _, name = key.rpartition(".")
    prefix = f"{section}." if section else ""
    here = sorted({one.removeprefix(prefix).split(".")[0] for one in known if one.startswith(prefix)})
    elsewhere = [one for one in known if one.rpartition(".")[2] == name]
    near = difflib.get_close_matches(name, here, n=1)
    if near or elsewhere:
        return f"did you mean {prefix + near[0] if near else elsewhere[0]}?"
    return f"the settings are: {', '.join(prefix + name for name in here)}."


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting's dotted name and field."""
    for field in model.model_fields.values():
        name = f"{prefix}{field.alias}"
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if section is not None:
            yield from leaves(section, f"{name}.")
        else:
            yield name, field


def _lines(node: yaml.Node | None) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Return the line of each key, and the keys that occur twice: YAML would silently use the last.

    What is repeated by an alias is looked at once: a few lines of aliases can stand for more than there is time for.
    """
    lines: dict[str, int] = {}
    twice: list[tuple[str, int]] = []
    seen: set[int] = set()

    def look(at: yaml.Node | None, prefix: str) -> None:
        if id(at) in seen:
            return
        seen.add(id(at))
        if isinstance(at, yaml.MappingNode):
            here = set()
            for key_node, value_node in at.value:
                key, line = f"{prefix}{key_node.value}", key_node.start_mark.line + 1
                if key in here:
                    twice.append((key, line))
                here.add(key)
                lines[key] = line
                look(value_node, f"{key}.")
        elif isinstance(at, yaml.SequenceNode):
            for index, item_node in enumerate(at.value):
                lines[f"{prefix}{index}"] = item_node.start_mark.line + 1
                look(item_node, f"{prefix}{index}.")

    look(node, "")
    return lines, twice
