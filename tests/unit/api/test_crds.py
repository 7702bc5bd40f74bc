"""The definitions that the API server gets: complete, described, and as strict as the design says."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from curfew.api.access_request import Phase
from curfew.api.crds import crds
from curfew.api.meta import Model
from curfew.api.phases import PHASE_CHANGES
from curfew.api.rules import FIXED, LASTING, first_phase, phase_changes
from curfew.api.schemas import NotStructural, at, structural_schema

DEFINITIONS = crds()
POLICIES, REQUESTS = DEFINITIONS[:2]

OF_THE_CLUSTER = {"AlertResponse", "AccessLock"}


def version(crd: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one version of a definition."""
    (only,) = crd["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def schema(crd: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a definition."""
    root = version(crd)["schema"]["openAPIV3Schema"]
    assert isinstance(root, dict)
    return root


def fields(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every field below a schema with its path."""
    for name, value in node.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        yield where, value
        yield from fields(value, where)
        yield from fields(value.get("items", {}), f"{where}[]")


ALL_FIELDS = [
    pytest.param(field, id=f"{crd['spec']['names']['kind']} {path}")
    for crd in DEFINITIONS
    for path, field in fields(schema(crd))
    # The API server has its own schema for these.
    if path not in {"apiVersion", "kind", "metadata"}
]


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_field_says_what_it_is(field: Mapping[str, Any]) -> None:
    """`kubectl explain` has a sentence on each, for people."""
    description = field.get("description", "")

    assert description.endswith(".")
    assert description[0].isupper()


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_field_is_bounded(field: Mapping[str, Any]) -> None:
    """A text or a list without a bound makes rules too dear, and an object too big."""
    if field["type"] == "string" and not {"enum", "format"} & field.keys():
        assert "maxLength" in field
    if field["type"] == "array":
        assert "maxItems" in field


@pytest.mark.parametrize("crd", DEFINITIONS, ids=lambda crd: str(crd["metadata"]["name"]))
def test_a_definition_has_its_names(crd: Mapping[str, Any]) -> None:
    """In the category, of the whole cluster or not, and with a status of its own if it has any."""
    names = crd["spec"]["names"]
    has_status = "status" in schema(crd)["properties"]

    assert crd["metadata"]["name"] == f"{names['plural']}.curfew.dev"
    assert crd["spec"]["scope"] == ("Cluster" if names["kind"] in OF_THE_CLUSTER else "Namespaced")
    assert names["categories"] == ["curfew"]
    assert version(crd).get("subresources") == ({"status": {}} if has_status else None)


def test_requests_are_listed_as_the_design_says() -> None:
    """The columns, wide ones apart, and the fields by which requests can be selected."""
    columns = version(REQUESTS)["additionalPrinterColumns"]

    assert [column["name"] for column in columns if "priority" not in column] == [
        "Phase",
        "Requester",
        "Policy",
        "Approvals",
        "Start",
        "Expires",
        "Ended",
        "Review",
        "Age",
        "Why",
    ]
    assert [column["name"] for column in columns if "priority" in column] == [
        "Changes",
        "Ticket",
        "Reason",
        "End",
        "Reviewed",
    ]
    assert REQUESTS["spec"]["names"]["shortNames"] == ["areq"]
    assert [field["jsonPath"] for field in version(REQUESTS)["selectableFields"]] == [
        ".spec.requester",
        ".spec.policyName",
        ".status.phase",
    ]


def test_a_request_must_say_who_what_how_long_and_why() -> None:
    """The fields without which nothing can be decided."""
    required = schema(REQUESTS)["properties"]["spec"]["required"]

    assert sorted(required) == ["duration", "policyName", "reason", "requester", "submittedBy"]


def test_nothing_in_a_request_takes_objects_of_any_depth() -> None:
    """Such an object could not be read back, and would stop whoever lists all of them; a record is a text."""
    outbox = at(schema(REQUESTS), "status.outbox")

    assert {name: field["type"] for name, field in outbox["items"]["properties"].items()} == {
        "record": "string",
        "seal": "string",
    }
    assert outbox["maxItems"] == 64
    assert "x-kubernetes-preserve-unknown-fields" not in str(schema(REQUESTS))


def test_what_the_monitor_writes_cannot_keep_the_operator_from_writing() -> None:
    """The API server applies each rule of a status to what is stored, and refuses all that is written beside it."""
    activity = at(schema(REQUESTS), "status.activity")

    assert "changes" in activity["properties"]
    assert "x-kubernetes-validations" not in str(activity)
    assert "'format': 'date-time'" not in str(activity)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("status.conditions", ["type"]),
        ("status.decisions", ["by", "decision"]),
        ("status.reviews", ["by", "decision"]),
    ],
)
def test_lists_with_keys_have_one_of_each(path: str, keys: list[str]) -> None:
    """The API server refuses duplicates, and merges by key."""
    field = at(schema(REQUESTS), path)

    assert field["x-kubernetes-list-type"] == "map"
    assert field["x-kubernetes-list-map-keys"] == keys


def test_absent_policies_parts_are_filled_in() -> None:
    """So that what applies can be read in the object itself."""
    spec = schema(POLICIES)["properties"]["spec"]["properties"]

    assert spec["decideWithin"]["default"] == "1h"
    assert all(spec[part]["default"] == {} for part in ("reason", "ticket", "approval", "limits"))
    assert spec["approval"]["properties"]["mode"]["default"] == "Review"
    assert spec["approval"]["properties"]["count"]["default"] == 1
    assert "default" not in spec["approval"]["properties"]["stages"]


@pytest.mark.parametrize("name", sorted({*LASTING, *FIXED}))
def test_what_may_be_told_once_has_no_default(name: str) -> None:
    """The API server would write it into every status, and then it could never be told."""
    (field,) = (field for path, field in fields(schema(REQUESTS)) if path == f"status.{name}")

    assert "default" not in field


def test_the_rule_of_phases_is_the_table_of_phases() -> None:
    """Every phase with a way out is in the rule with exactly its ways; those without are not in it."""
    rule = phase_changes()

    for phase, following in PHASE_CHANGES.items():
        ways = ", ".join(f"'{one}'" for one in sorted(following))
        if phase is None:
            assert first_phase().endswith(f"in [{ways}]")
        elif following:
            assert f"(oldSelf == '{phase}' && self in [{ways}])" in rule
        else:
            assert f"oldSelf == '{phase}'" not in rule


def test_the_table_of_phases_knows_every_phase_and_no_way_to_stay() -> None:
    """A phase that is missing from the table could never be left nor found final."""
    assert set(PHASE_CHANGES) == {None, *Phase}
    assert all(phase not in following for phase, following in PHASE_CHANGES.items() if phase is not None)


def test_what_a_schema_cannot_say_is_refused() -> None:
    """Better no definition than one that means something else."""

    class Undecided(Model):
        """A value of two types."""

        spec: int | str
        status: int

    with pytest.raises(NotStructural, match="a choice between"):
        structural_schema(Undecided)
