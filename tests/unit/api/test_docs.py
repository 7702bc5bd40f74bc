"""The pages about the custom resources speak of every field, and their examples are what they say."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.api.alert_response import AlertResponse
from curfew.api.crds import crds

CHECKOUT = Path(__file__).parents[3]
PAGES = {
    kind: (CHECKOUT / "docs" / "api" / f"{kind.lower()}.md").read_text()
    for kind in ("AccessPolicy", "AccessRequest", "AlertResponse", "AccessLock")
}
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in crds()}


def leaves(node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the path of every field below a schema that has no fields of its own."""
    for name, value in node.get("properties", {}).items():
        below = value if value["type"] == "object" else value.get("items", {})
        if below.get("properties"):
            yield from leaves(below, f"{path}.{name}{'[]' if value['type'] == 'array' else ''}")
        else:
            yield f"{path}.{name}"


def documented_fields() -> Iterator[tuple[str, str]]:
    """Yield kind and path: of a spec each leaf, of a status each field at the top."""
    for kind, crd in CRDS.items():
        parts = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        yield from ((kind, path) for path in leaves(parts["spec"], ".spec"))
        yield from ((kind, f".status.{name}") for name in parts.get("status", {}).get("properties", ()))


@pytest.mark.parametrize(("kind", "path"), list(documented_fields()))
def test_every_field_is_on_its_page(kind: str, path: str) -> None:
    """By its full path, as a reader would search for it."""
    assert f"`{path}`" in PAGES[kind]


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind in PAGES for path in re.findall(r"`(\.(?:spec|status)\.[\w.\[\]]+)`", PAGES[kind])],
)
def test_no_page_speaks_of_a_field_that_is_not_there(kind: str, path: str) -> None:
    """What was renamed is renamed on its page."""
    node = CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path.removeprefix(".").split("."):
        node = node["properties"][name.removesuffix("[]")]
        node = node["items"] if name.endswith("[]") else node


def test_the_examples_can_be_read() -> None:
    """Each YAML block on a page, and each example file, is what Curfew understands; who asks may be left to the API server."""
    texts = [block for page in PAGES.values() for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    texts += [(CHECKOUT / "examples" / name).read_text() for name in ("policy.yaml", "request.yaml")]

    kinds = []
    for text in texts:
        manifest = yaml.safe_load(text)
        kinds.append(manifest["kind"])
        if manifest["kind"] == "AccessPolicy":
            AccessPolicy.model_validate(manifest)
        elif manifest["kind"] == "AccessLock":
            AccessLock.model_validate({**manifest, "spec": {"submittedBy": "carol@example.com", **manifest["spec"]}})
        elif manifest["kind"] == "AlertResponse":
            spec = {"submittedBy": "carol@example.com", **manifest["spec"]}
            AlertResponse.model_validate({**manifest, "spec": spec})
        else:
            who = {"requester": "alice@example.com", "submittedBy": "alice@example.com"}
            AccessRequest.model_validate({**manifest, "spec": {**who, **manifest["spec"]}})

    assert sorted(kinds) == ["AccessLock"] + ["AccessPolicy"] * 2 + ["AccessRequest"] * 3 + ["AlertResponse"] * 2
