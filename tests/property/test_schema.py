"""Whatever the schemas of our kinds take, the models read: an object that nobody can read gets no decision."""

import re
from calendar import monthrange
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.api.alert_response import AlertResponse
from curfew.api.crds import crds
from curfew.api.meta import Model
from curfew.api.times import WRITTEN, parse_time
from tests.support.scale import times

META = {"name": "one", "namespace": "payments", "uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}
DURATIONS = st.from_regex(r"\A([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)\Z")
"""What the rule about durations (`curfew.api.rules.WHOLE`) takes."""


def _is_a_day(text: str) -> bool:
    """Whether the API server can read a time of this form."""
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    return day <= monthrange(year, month)[1]


TIMES = st.from_regex(WRITTEN.replace("^[0-9]{4}", r"\A20[0-9]{2}").replace("$", r"\Z")).filter(_is_a_day)
"""What the pattern of a time takes, in the years that the rule beside it allows."""


@given(text=TIMES)
def test_a_time_that_the_schema_takes_is_read(text: str) -> None:
    """No offset, fraction or letter that it takes is strange to the reader."""
    assert abs(parse_time(text).year - int(text[:4])) <= 1


@pytest.mark.parametrize(
    "text",
    ["2030-01-01T00:00:00,5Z", "2027-01-01T20:00:00+24:00", "2027-01-01 20:00:00Z", "2027-01-01T24:00:00Z"],
)
def test_what_format_date_time_alone_lets_through_is_not_of_that_form(text: str) -> None:
    """Each was taken by the API server, and could not be read."""
    assert re.fullmatch(WRITTEN, text) is None


def _values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return what an API server takes under a structural schema."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            needed = schema.get("required", [])
            fields = {name: _values(field) for name, field in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: fields[name] for name in needed},
                optional={name: field for name, field in fields.items() if name not in needed},
            )
        case "object":
            return st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=2)
        case "array":
            return st.lists(_values(schema["items"]), max_size=min(3, schema.get("maxItems", 3)))
        case "integer":
            return st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1))
        case "boolean":
            return st.booleans()
    if schema.get("format") == "date-time":
        return TIMES
    if any("duration" in rule["message"] for rule in schema.get("x-kubernetes-validations", [])):
        return DURATIONS
    if "pattern" in schema:
        texts = st.from_regex(schema["pattern"].replace("^", r"\A").replace("$", r"\Z"))
        return texts.filter(lambda text: len(text) <= schema.get("maxLength", 64))
    return st.text(
        st.characters(codec="utf-8"), min_size=schema.get("minLength", 0), max_size=min(40, schema.get("maxLength", 40))
    )


@pytest.mark.parametrize(
    ("model", "crd"), tuple(zip((AccessPolicy, AccessRequest, AlertResponse, AccessLock), crds(), strict=True))
)
@settings(
    max_examples=times(300), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_whatever_the_schema_takes_the_model_reads(
    model: type[Model], crd: dict[str, Any], data: st.DataObject
) -> None:
    """Every object that the API server takes gets an answer: none is beyond the model (promise P11)."""
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    model.model_validate(
        {
            **data.draw(_values(schema)),
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": crd["spec"]["names"]["kind"],
            "metadata": META,
        }
    )
