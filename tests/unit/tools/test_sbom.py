"""The list of what is in the image has the form of CycloneDX 1.6, and holds each package of the lock with its hashes."""

import re
from typing import Any

import jsonschema
import pytest

from tools.image.sbom import LOCK, sbom

EPOCH = 1_800_000_000


def only(required: list[str], **fields: Any) -> dict[str, Any]:
    """Return the schema of an object with these fields and no others."""
    return {"type": "object", "required": required, "properties": fields, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
COMPONENT = only(
    ["type", "name", "bom-ref", "version", "purl"],
    **{"bom-ref": TEXT},
    type={"enum": ["application", "library"]},
    name=TEXT,
    version={"type": "string", "maxLength": 1024},
    purl={"type": "string", "pattern": r"^pkg:pypi/[a-z0-9]+(-[a-z0-9]+)*@[^@/?#]+$"},
    licenses={"type": "array", "items": only(["license"], license=only(["id"], id=TEXT))},
    hashes={
        "type": "array",
        "uniqueItems": True,
        "minItems": 1,
        "items": only(
            ["alg", "content"], alg={"const": "SHA-256"}, content={"type": "string", "pattern": "^[a-fA-F0-9]{64}$"}
        ),
    },
)
FORM = only(
    ["bomFormat", "specVersion"],
    **{"$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"}},
    bomFormat={"const": "CycloneDX"},
    specVersion={"const": "1.6"},
    serialNumber={
        "type": "string",
        "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    },
    version={"type": "integer", "minimum": 1},
    metadata=only([], timestamp={"type": "string", "format": "date-time"}, component=COMPONENT),
    components={"type": "array", "uniqueItems": True, "items": COMPONENT},
)
"""The part of CycloneDX 1.6 that is used here."""


def test_the_list_has_the_form_of_cyclonedx() -> None:
    jsonschema.validate(sbom(LOCK.read_text(), EPOCH), FORM, format_checker=jsonschema.FormatChecker())


def test_each_package_of_the_lock_is_there_with_its_hashes() -> None:
    lock = LOCK.read_text()
    listed = {part["name"]: part for part in sbom(lock, EPOCH)["components"]}
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    elsewhere = set(re.findall(r"^([a-z0-9-]+)==.*sys_platform == 'win32'", lock, re.MULTILINE))

    assert {name: part["version"] for name, part in listed.items()} == {
        name: version for name, version in pinned.items() if name not in elsewhere
    }
    hashes = [one["content"] for part in listed.values() for one in part["hashes"]]
    assert set(re.findall("sha256:([0-9a-f]+)", lock)) >= set(hashes)
    assert len(hashes) + 2 * len(elsewhere) == lock.count("--hash=sha256:")  # a wheel and a source archive


@pytest.mark.parametrize(
    ("marker", "is_listed"), [("sys_platform == 'win32'", False), ("sys_platform == 'linux'", True)]
)
def test_what_is_for_other_systems_is_not_listed(marker: str, is_listed: bool) -> None:
    lock = f"a==1.0 ; {marker} \\\n    --hash=sha256:{'0' * 64}\n"
    assert [part["name"] for part in sbom(lock, EPOCH)["components"]] == ["a"] * is_listed


def test_the_same_lock_gives_the_same_list_and_another_lock_another_number() -> None:
    one = f"a==1.0 \\\n    --hash=sha256:{'0' * 64}\n"
    assert sbom(one, EPOCH) == sbom(one, EPOCH)
    assert sbom(one, EPOCH)["serialNumber"] != sbom(one.replace("1.0", "1.1"), EPOCH)["serialNumber"]
