"""What is played. Each step is one call, or one stream; its name is in the user agent of its events."""

from collections.abc import Mapping
from typing import Any, Final

from tests.recorded.audit_events.people import GROUP, TOKENS, Caller
from tests.recorded.audit_events.stage import BOB, NAMESPACE, PODS, RBAC, pod

CORE: Final = f"/api/v1/namespaces/{NAMESPACE}"
MAPS: Final = f"{CORE}/configmaps"
DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
MERGE: Final = {"Content-Type": "application/merge-patch+json"}
APPLY: Final = {"Content-Type": "application/apply-patch+yaml"}
UPGRADE: Final = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
WEBSOCKET: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}
TYPE: Final = {"apiVersion": "v1", "kind": "ConfigMap"}
WET: Final = {"kind": "DeleteOptions", "apiVersion": "v1"}
DRY: Final = {**WET, "dryRun": ["All"]}
CHOSEN_ID: Final = "chosen-by-the-caller"


def _map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "data": {"key": "secret-in-a-body"}}


def read(alice: Caller) -> None:
    """Play calls that only look."""
    alice.call("get", "GET", f"{PODS}/runs")
    alice.call("get-missing", "GET", f"{PODS}/nobody")
    alice.call("list", "GET", f"{PODS}?limit=500")
    alice.call("list-one-by-field", "GET", f"{CORE}/secrets?fieldSelector=metadata.name%3Dmissing")
    alice.call("list-all-namespaces-refused", "GET", "/api/v1/pods")
    alice.call("watch", "GET", f"{PODS}?watch=true&timeoutSeconds=1")
    alice.call("watch-old-path", "GET", f"/api/v1/watch/namespaces/{NAMESPACE}/pods?timeoutSeconds=1")
    assert alice.begin("watch-closed", "GET", f"{PODS}?watch=true&timeoutSeconds=60", {}) == 200
    alice.call("get-odd-name", "GET", f"{PODS}/a%20%22%0A%1b%5B31m%C3%A9%2Fb%FF")
    alice.call("get-namespace", "GET", f"/api/v1/namespaces/{NAMESPACE}")
    alice.call("logs", "GET", f"{PODS}/runs/log?container=main")
    alice.call("logs-follow", "GET", f"{PODS}/runs/log?container=main&follow=true")
    alice.call("head", "HEAD", f"{PODS}/runs")
    alice.call("version", "GET", "/version")
    alice.call("no-such-path", "GET", "/nowhere?token=in-the-query")
    alice.call("discovery", "GET", "/apis/apps/v1")
    alice.call("ask-for-rights", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", _review())
    alice.call("who-am-i", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})


def _review() -> dict[str, Any]:
    return {"spec": {"resourceAttributes": {"namespace": NAMESPACE, "verb": "delete", "resource": "pods"}}}


def write(alice: Caller) -> None:
    """Play calls that change something."""
    alice.call("create", "POST", MAPS, _map("one"))
    alice.call("create-again", "POST", MAPS, _map("one"))
    alice.call("create-with-uid", "POST", MAPS, _map("with-uid", uid="chosen-by-the-caller"))
    code, made = alice.call("create-generated", "POST", MAPS, {"metadata": {"generateName": "made-"}})
    assert code == 201, made
    alice.call("delete-generated", "DELETE", f"{MAPS}/{made['metadata']['name']}")
    alice.call("create-invalid", "POST", MAPS, {"metadata": {"name": "No Name"}})
    alice.call("create-not-json", "POST", MAPS, b"not JSON")
    alice.call("create-in-no-namespace", "POST", "/api/v1/namespaces/nowhere/configmaps", _map("one"))
    alice.call("update", "PUT", f"{MAPS}/one", _map("one"))
    alice.call("update-missing", "PUT", f"{MAPS}/nobody", _map("nobody"))
    alice.call("patch", "PATCH", f"{MAPS}/one", {"data": {"key": "2"}}, MERGE)
    alice.call("create-two", "POST", MAPS, _map("two"))
    alice.call("apply", "PATCH", f"{MAPS}/three?fieldManager=me", {**_map("three"), **TYPE}, APPLY)
    alice.call("update-other-uid", "PUT", f"{MAPS}/one", _map("one", uid="chosen-by-the-caller"))
    alice.call("delete", "DELETE", f"{MAPS}/one")
    alice.call("delete-missing", "DELETE", f"{MAPS}/one")
    for name in ("some", "others", "kept"):
        alice.call(f"create-{name}", "POST", MAPS, _map(name, labels={"app": "some"}))
    alice.call("delete-all-but-one", "DELETE", f"{MAPS}?labelSelector=app%3Dsome")
    alice.call("delete-all-is-gone", "GET", f"{MAPS}?labelSelector=app%3Dsome")
    alice.call("delete-all", "DELETE", f"{MAPS}?labelSelector=app%3Dnone")
    with_bodies(alice)
    labels = {"matchLabels": {"app": "web"}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("")["spec"]}
    spec = {"replicas": 0, "selector": labels, "template": template}
    alice.call("create-deployment", "POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
    alice.call("scale", "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 0}}, MERGE)
    alice.call("status", "PATCH", f"{PODS}/waits/status", {"status": {"message": "here"}}, MERGE)
    alice.call("create-pod", "POST", PODS, pod("left"))
    alice.call("evict", "POST", f"{PODS}/left/eviction", _eviction("left"))


def with_bodies(alice: Caller) -> None:
    """Play calls where the audit policy keeps bodies."""
    maps = "/api/v1/namespaces/with-bodies/configmaps"
    alice.call("with-bodies-create", "POST", maps, _map("bodies"))
    alice.call("with-bodies-generated", "POST", maps, {"metadata": {"generateName": "made-"}})
    alice.call("with-bodies-dry-delete", "DELETE", f"{maps}/bodies?dryRun=All")
    alice.call("with-bodies-dry-delete-in-body", "DELETE", f"{maps}/bodies", DRY)
    alice.call("with-bodies-dry-but-body", "DELETE", f"{maps}/bodies?dryRun=All", WET)
    alice.call("with-bodies-delete", "DELETE", f"{maps}/bodies")


def _eviction(name: str) -> dict[str, Any]:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}


def refusals(alice: Caller, unknown: Caller) -> None:
    """Play calls that are refused, each by somebody else."""
    alice.call("refused-by-rbac", "DELETE", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    alice.call("refused-by-policy", "POST", MAPS, _map("forbidden"))
    alice.call("refused-by-pod-security", "POST", "/api/v1/namespaces/restricted/pods", pod("root", hostNetwork=True))
    roles = f"{RBAC}/namespaces/{NAMESPACE}"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    alice.call("refused-as-escalation", "POST", f"{roles}/roles", {"metadata": {"name": "all"}, "rules": rules})
    nobody = Caller(unknown.port, unknown.tls, "wrong")
    nobody.call("wrong-token", "GET", f"{PODS}/runs")
    unknown.call("anonymous", "GET", f"{PODS}/runs")


def dry_runs(alice: Caller) -> None:
    """Play calls that change nothing because they ask for that, and calls that only look so."""
    alice.call("dry-create", "POST", f"{MAPS}?dryRun=All", _map("dry"))
    alice.call("dry-delete", "DELETE", f"{MAPS}/two?dryRun=All")
    alice.call("dry-delete-in-body", "DELETE", f"{MAPS}/two", DRY)
    alice.call("dry-evict-in-body", "POST", f"{PODS}/waits/eviction", {**_eviction("waits"), "deleteOptions": DRY})
    alice.call("dry-in-other-words", "DELETE", f"{MAPS}/two?dryrun=All")
    alice.call("dry-unknown", "POST", f"{MAPS}?dryRun=Some", _map("dry"))
    alice.call("dry-token", "POST", f"{CORE}/serviceaccounts/default/token?dryRun=All", {"spec": {}})
    alice.call("dry-but-body", "DELETE", f"{MAPS}/three?dryRun=All", WET)
    alice.call("dry-but-body-is-gone", "GET", f"{MAPS}/three")
    alice.call("dry-but-body-all", "DELETE", f"{MAPS}?dryRun=All&labelSelector=app%3Dnone", WET)


def impersonation(alice: Caller, dora: Caller) -> None:
    """Play calls of one person with the rights of another."""
    alice.call("as-bob", "GET", PODS, headers={"Impersonate-User": BOB})
    alice.call("as-nobody", "GET", PODS, headers={"Impersonate-User": "nobody"})
    alice.call("as-group", "GET", PODS, headers={"Impersonate-User": "nobody", "Impersonate-Group": GROUP})
    extra = {"Impersonate-User": BOB, "Impersonate-Extra-Scopes": "view"}
    alice.call("as-bob-extra-refused", "GET", PODS, headers=extra)
    dora.call("as-bob-refused", "GET", f"{PODS}/runs", headers={"Impersonate-User": BOB})
    dora.call("as-bob-constrained", "GET", PODS, headers={"Impersonate-User": BOB})
    dora.call(
        "as-account-refused", "GET", PODS, headers={"Impersonate-User": f"system:serviceaccount:{NAMESPACE}:default"}
    )


def tokens(alice: Caller, unknown: Caller) -> None:
    """Play the making of tokens, and calls with them."""
    accounts = f"{CORE}/serviceaccounts"
    alice.call("create-account", "POST", accounts, {"metadata": {"name": "deployer"}})
    code, answer = alice.call("token", "POST", f"{accounts}/deployer/token", {"spec": {}})
    assert code == 201, answer
    deployer = Caller(unknown.port, unknown.tls, answer["status"]["token"])
    deployer.call("with-token", "GET", MAPS)
    deployer.call("with-token-refused", "GET", "/api/v1/nodes")
    alice.call("create-pod-of-account", "POST", PODS, pod("works", serviceAccountName="deployer", nodeName="node-1"))
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "works"}
    code, answer = alice.call("token-of-pod", "POST", f"{accounts}/deployer/token", {"spec": {"boundObjectRef": bound}})
    assert code == 201, answer
    Caller(unknown.port, unknown.tls, answer["status"]["token"]).call("with-token-of-pod", "GET", MAPS)
    alice.call("token-refused", "POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", {"spec": {}})


def streams(alice: Caller) -> None:
    """Play connections that the API server only passes on."""
    command = "command=sh&stdin=true&stdout=true"
    alice.call("exec-waiting", "POST", f"{PODS}/waits/exec?{command}", headers=UPGRADE)
    alice.call("exec-missing", "POST", f"{PODS}/nobody/exec?{command}", headers=UPGRADE)
    alice.call("exec-no-upgrade", "POST", f"{PODS}/runs/exec?{command}")
    alice.call("exec-dry", "POST", f"{PODS}/runs/exec?{command}&dryRun=All", headers=UPGRADE)
    alice.call("exec-refused", "POST", f"/api/v1/namespaces/default/pods/runs/exec?{command}", headers=UPGRADE)
    for step, method, path, headers in (
        ("exec", "POST", f"{PODS}/runs/exec?{command}", UPGRADE),
        ("exec-websocket", "GET", f"{PODS}/runs/exec?{command}", WEBSOCKET),
        ("attach", "POST", f"{PODS}/runs/attach?stdin=true", UPGRADE),
        ("port-forward", "POST", f"{PODS}/runs/portforward?ports=80", UPGRADE),
    ):
        assert alice.begin(step, method, path, headers) == 101, step
    alice.call("pod-proxy", "GET", f"{PODS}/runs/proxy/some/path?query=x")
    alice.call("node-proxy", "GET", "/api/v1/nodes/node-1/proxy/pods")


def timeouts(alice: Caller) -> None:
    """Play changes with hardly any time, until one of them was made although the API server reports that it failed."""
    for number in range(400):
        made = f"late-{number}"
        code, _ = alice.call(f"timed-out-{number}", "POST", f"{MAPS}?timeout={600 + number * 150 % 9000}us", _map(made))
        found, _ = alice.call(f"timed-out-{number}-found", "GET", f"{MAPS}/{made}")
        if code != 201 and found == 200:
            return
    raise AssertionError("no change was made late")


def names(quoted: Caller, strange: Caller, dora: Caller, bob: Caller) -> None:
    """Play people whose names try the quoting, and rights that come in several ways."""
    quoted.call("quoted-user", "GET", MAPS)
    quoted.call("quoted-user-refused", "GET", "/api/v1/nodes")
    strange.call("strange-user", "GET", MAPS)
    dora.call("group", "GET", MAPS)
    bob.call("two-bindings", "GET", MAPS)


def audit_ids(alice: Caller) -> None:
    """Play callers that choose the Audit-ID."""
    chosen = {"Audit-ID": CHOSEN_ID}
    alice.call("create-for-id", "POST", MAPS, _map("chosen"))
    alice.call("id-get", "GET", f"{MAPS}/chosen", headers=chosen)
    alice.call("id-delete", "DELETE", f"{MAPS}/chosen", headers=chosen)
    alice.call("id-strange", "GET", f"{MAPS}/chosen", headers={"Audit-ID": 'a "quoted"\t' + "long " * 200})
    alice.call("uri-long", "GET", f"{MAPS}/chosen?" + "a&,[{" * 800)
    alice.call("forwarded", "GET", f"{MAPS}/chosen", headers={"X-Forwarded-For": "203.0.113.7, 198.51.100.4"})


def play(people: Mapping[str, Caller]) -> None:
    """Play everything."""
    alice, bob = people["alice"], people["bob"]
    quoted, strange, dora = (people[name] for name in TOKENS)
    read(alice)
    write(alice)
    refusals(alice, people["unknown"])
    dry_runs(alice)
    impersonation(alice, dora)
    tokens(alice, people["unknown"])
    streams(alice)
    timeouts(alice)
    names(quoted, strange, dora, bob)
    audit_ids(alice)
