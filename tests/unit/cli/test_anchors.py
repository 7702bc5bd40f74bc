"""Whatever somebody kept of a log is found in what it comes in: alone, in a manifest, in many of them, as JSON or YAML."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from curfew.api.names import ANNOTATION_RECEIPT
from curfew.audit.checkpoint import Checkpoint, sign_note
from curfew.reader.anchors import anchors_in
from tests.support.logs import a_log, a_signer

LOG = a_log(1, 2)
RECEIPT, OTHER = LOG.receipt(0), LOG.receipt(2)
NOTE = sign_note(Checkpoint("curfew.dev/log/main", 3, bytes(32)), a_signer())

REQUEST = {
    "apiVersion": "curfew.dev/v1alpha1",
    "kind": "AccessRequest",
    "metadata": {"name": "inc-4711"},
    "status": {"phase": "Active", "grant": {"binding": "curfew-1", "receipt": RECEIPT.to_json()}},
}
PENDING = {**REQUEST, "status": {"phase": "Pending"}}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "curfew-1", "annotations": {ANNOTATION_RECEIPT: OTHER.compact(), "other": "x"}},
}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"checkpoint": NOTE, "other": "x"}}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"config.yaml": "audit: {}"}}


def a_list(*items: Any) -> dict[str, Any]:
    """Return what `kubectl get` shows of many."""
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump, lambda it: yaml.safe_dump(it, default_style='"')])
@pytest.mark.parametrize(
    ("document", "anchors"),
    [
        pytest.param(RECEIPT.to_json(), [RECEIPT], id="a receipt"),
        pytest.param({"receipt": RECEIPT.to_json()}, [RECEIPT], id="a receipt in something"),
        pytest.param(REQUEST["status"], [RECEIPT], id="a status"),
        pytest.param(REQUEST, [RECEIPT], id="a request"),
        pytest.param(BINDING, [OTHER], id="a binding"),
        pytest.param(CONFIG_MAP, [NOTE], id="the ConfigMap"),
        pytest.param({"schema": "curfew.proof/v1", "checkpoint": NOTE}, [NOTE], id="a proof"),
        pytest.param(
            a_list(REQUEST, PENDING, BINDING, CONFIG_MAP, SETTINGS), [RECEIPT, OTHER, NOTE], id="a list of all"
        ),
    ],
)
def test_all_anchors_in_a_document_are_found(
    document: object, anchors: list[object], write: Callable[[object], str]
) -> None:
    assert anchors_in(write(document)) == anchors


def test_what_stands_alone_is_found() -> None:
    assert anchors_in(f"{RECEIPT.compact()}\n") == [RECEIPT]
    assert anchors_in(NOTE) == [NOTE]


def test_many_documents_in_yaml_are_all_read() -> None:
    assert anchors_in(yaml.safe_dump_all([REQUEST, BINDING])) == [RECEIPT, OTHER]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "has the form log/index/size/root"),
        ("main/1/0/00", "has the form log/index/size/root"),
        ("{}", "neither a receipt nor a checkpoint"),
        ("[1,\n null, []]", "neither a receipt nor a checkpoint"),
        (json.dumps(PENDING), "neither a receipt nor a checkpoint"),
        (json.dumps(a_list(PENDING, SETTINGS)), "neither a receipt nor a checkpoint"),
        ("a: {\nb", "neither JSON nor YAML: "),
        ("one line\nand another", "neither a receipt nor a checkpoint"),
        (json.dumps({**RECEIPT.to_json(), "size": "1"}), "two whole numbers"),
        (json.dumps({**RECEIPT.to_json(), "index": 9}), "index 9 is not in a log of 1 records"),
        (json.dumps(a_list(REQUEST, {"metadata": {"annotations": {ANNOTATION_RECEIPT: "x"}}})), "has the form"),
    ],
)
def test_what_is_no_anchor_is_refused_with_the_reason(content: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        anchors_in(content)


def test_a_document_that_would_take_for_ever_to_walk_through_is_not_walked_through() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40))

    with pytest.raises(ValueError, match="neither a receipt nor a checkpoint"):
        anchors_in(f"l0: &l0 [x]\n{levels}\n")
