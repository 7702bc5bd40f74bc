"""From a model to the structural schema of a custom resource: inlined, bounded, with a description on every field."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from curfew.api.meta import STORED_DEFAULT, Model

API_VERSION_HELP: Final = "The version of the schema that this object is written in."
KIND_HELP: Final = "The kind of this object."

KEPT: Final = ("type", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "maxItems")
"""The keys that a structural schema takes over unchanged, in the order in which they are written."""


class NotStructural(Exception):
    """A model has a feature that a structural schema cannot express."""


def structural_schema(model: type[Model]) -> dict[str, Any]:
    """Return the openAPIV3Schema of a custom resource, or raise `NotStructural`."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    root = _convert(schema, schema.get("$defs", {}), model.__name__)
    properties = {
        "apiVersion": {"description": API_VERSION_HELP, "type": "string"},
        "kind": {"description": KIND_HELP, "type": "string"},
        # The API server knows the schema of metadata, and accepts no other.
        "metadata": {"type": "object"},
        "spec": root["properties"]["spec"],
    }
    if "status" in root["properties"]:
        properties["status"] = root["properties"]["status"]
    return {
        "description": inspect.cleandoc(model.__doc__ or ""),
        "type": "object",
        "required": ["spec"],
        "properties": properties,
    }


def at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema at a dotted path such as spec.ticket.pattern or spec.list[].item; the empty path is the root."""
    for name in path.split(".") if path else []:
        schema = schema["properties"][name.removesuffix("[]")]
        schema = schema["items"] if name.endswith("[]") else schema
    return schema


def _convert(schema: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    schema = _resolve(schema, definitions)
    result: dict[str, Any] = {}
    if description := schema.get("description"):
        result["description"] = _unfold(description)
    result.update({key: schema[key] for key in KEPT if key in schema})
    # An empty list is how a model reads an absent field; it is noise in a stored object, unless the field asks for it.
    if STORED_DEFAULT in schema:
        result.update({"default": schema[STORED_DEFAULT]} if schema[STORED_DEFAULT] is not None else {})
    elif schema.get("default") not in (None, [], ""):
        result["default"] = schema["default"]
    result.update({key: value for key, value in schema.items() if key.startswith("x-kubernetes-")})
    match schema.get("type"):
        case "object" if schema.get("additionalProperties") is True:
            result["x-kubernetes-preserve-unknown-fields"] = True
        case "object":
            if required := schema.get("required"):
                result["required"] = required
            result["properties"] = {
                name: _convert(value, definitions, f"{where}.{name}")
                for name, value in schema.get("properties", {}).items()
                if name not in {"apiVersion", "kind", "metadata"} or "." in where
            }
        case "array":
            result["items"] = _convert(schema["items"], definitions, f"{where}[]")
        case "integer":
            result["format"] = "int64"
        case "string" | "boolean":
            pass
        case other:
            raise NotStructural(f"{where}: type {other} has no place in a structural schema")
    return result


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Replace references and "or null" by their targets; the keys beside them win."""
    found = dict(schema)
    while "$ref" in found or "anyOf" in found:
        if reference := found.pop("$ref", None):
            found = {**definitions[reference.rpartition("/")[2]], **found}
        else:
            # None in a model is an absent field in JSON; null is refused.
            choices = [choice for choice in found.pop("anyOf") if choice != {"type": "null"}]
            if len(choices) != 1:
                raise NotStructural(f"a choice between {choices} has no place in a structural schema")
            found = {**choices[0], **found}
    return found


def _unfold(text: str) -> str:
    """Return a text without the line breaks of its source, but with those between paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))
