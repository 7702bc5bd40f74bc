"""Reading mapping files: how the lines of other systems are read, one file for each system."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from curfew.core.activity.external.mapping import LineMapping
from curfew.settings.loading import SettingsRefused, load


def load_mapping(path: Path) -> LineMapping:
    """Return the mapping in a YAML file, or raise `SettingsRefused` with everything that is wrong with it."""
    return load(path, LineMapping)


def load_mappings(paths: Iterable[Path]) -> Mapping[str, LineMapping]:
    """Return the mappings in YAML files by system, or raise `SettingsRefused`, also for two of one system."""
    mappings: dict[str, LineMapping] = {}
    problems: list[str] = []
    for path in paths:
        try:
            mapping = load_mapping(path)
        except SettingsRefused as error:
            problems += error.problems
            continue
        if mapping.system in mappings:
            problems.append(
                f"{path}: system is {mapping.system}, which another mapping has already; choose another name."
            )
        mappings[mapping.system] = mapping
    if problems:
        raise SettingsRefused(tuple(problems))
    return mappings
