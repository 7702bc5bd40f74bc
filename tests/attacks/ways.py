"""The ways in which an object can be written, each as a call: patches of three types, replacement, server-side apply."""

from typing import Any

from tests.attacks.calling import APPLY, JSON, MERGE, Call, Who
from tests.attacks.stage import Manifest, Scene, Stage


def merge(scene: Scene, who: Who, body: Any, **query: str) -> Call:
    """Return a JSON merge patch of the request."""
    return Call(who, "PATCH", scene.path, body, MERGE, query)


def merge_status(scene: Scene, who: Who, status: Any, **query: str) -> Call:
    """Return a JSON merge patch of its status."""
    return Call(who, "PATCH", scene.status, {"status": status}, MERGE, query)


def operations(scene: Scene, who: Who, *steps: Manifest, **query: str) -> Call:
    """Return a JSON patch of the request."""
    return Call(who, "PATCH", scene.path, list(steps), JSON, query)


def status_operations(scene: Scene, who: Who, *steps: Manifest, **query: str) -> Call:
    """Return a JSON patch of its status."""
    return Call(who, "PATCH", scene.status, list(steps), JSON, query)


def step(op: str, path: str, value: Any = None) -> Manifest:
    """Return one operation of a JSON patch."""
    return {"op": op, "path": path, **({} if op == "remove" else {"value": value})}


def adding(by: Who | str, decision: str = "Approve", **more: Any) -> Manifest:
    """Return the operation that adds a decision, in whosever name."""
    value = {"by": by.name if isinstance(by, Who) else by, "decision": decision, **more}
    return step("add", "/status/decisions/-", value)


def replace(scene: Scene, who: Who, body: Manifest, **query: str) -> Call:
    """Return a replacement of the whole request."""
    return Call(who, "PUT", scene.path, body, query=query)


def replace_status(scene: Scene, who: Who, body: Manifest, **query: str) -> Call:
    """Return a replacement of its status."""
    return Call(who, "PUT", scene.status, body, query=query)


def apply(scene: Scene, who: Who, body: Manifest, *, manager: str, force: bool = False) -> Call:
    """Return a server-side apply of the request."""
    meta = {"name": scene.name, **body.get("metadata", {})}
    return _apply(who, scene.path, {**_kind("AccessRequest"), **body, "metadata": meta}, manager, force=force)


def apply_status(scene: Scene, who: Who, status: Manifest, *, manager: str, force: bool = False) -> Call:
    """Return a server-side apply of its status."""
    body = {**_kind("AccessRequest"), "metadata": {"name": scene.name}, "status": status}
    return _apply(who, scene.status, body, manager, force=force)


def apply_new(stage: Stage, who: Who, plural: str, body: Manifest, *, manager: str = "kubectl") -> Call:
    """Return a server-side apply of something that is not there yet."""
    return _apply(who, stage.path(plural, body["metadata"]["name"]), body, manager, force=True)


def create(stage: Stage, who: Who, plural: str, body: Manifest, *, namespace: str = "", **query: str) -> Call:
    """Return a creation."""
    return Call(who, "POST", stage.path(plural, namespace=namespace), body, query=query)


def ask(scene: Scene, who: Who, body: Manifest, **query: str) -> Call:
    """Return the creation of a request."""
    return create(scene.stage, who, "accessrequests", body, **query)


def bind(scene: Scene, who: Who, body: Manifest, **query: str) -> Call:
    """Return the creation of a binding."""
    return create(scene.stage, who, "rolebindings", body, **query)


def delete(path: str, who: Who, **options: Any) -> Call:
    """Return a deletion."""
    body = {"apiVersion": "meta.k8s.io/v1", "kind": "DeleteOptions", **options} if options else None
    return Call(who, "DELETE", path, body)


def _kind(kind: str) -> Manifest:
    return {"apiVersion": "curfew.dev/v1alpha1", "kind": kind}


def _apply(who: Who, path: str, body: Manifest, manager: str, *, force: bool) -> Call:
    query = {"fieldManager": manager, **({"force": "true"} if force else {})}
    return Call(who, "PATCH", path, body, APPLY, query)
