"""Sessions that change something, and what they leave behind."""

from typing import Final
from unittest.mock import ANY

from tests.integration.monitor.ground import EVERYTHING
from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.scripted_setting import CREATES, DEPLOYER, DEPLOYER_MAY_EDIT, POD, RBAC, SETTINGS
from tests.integration.monitor.steps import a_moment_passes, admin, calls, is_gone, mints_token, sends_again, types

WEB: Final = admin("create deployment web --image=registry.invalid/web:1 --replicas=0")
GENERATED: Final = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
MADE: Final = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {"a": "b"}}
WORKER: Final = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "worker"},
    "spec": {
        "serviceAccountName": "deployer",
        "containers": [{"name": "main", "image": "registry.invalid/worker:1"}],
    },
}

CHANGING: Final = (
    Script(
        "a change",
        steps=(types(CREATES), types("get configmap made")),
        answer=Answer("Yes", "read one object, changed one", reads=1, writes=1, changed=("configmaps/made",)),
        log={"call.created": 1, "call.read": 1},
        cancels=True,
    ),
    Script(
        "server-side apply makes something",
        steps=(types("apply --server-side -f -", stdin=MADE),),
        answer=Answer("Yes", "changed one object", writes=1, changed=("configmaps/made",)),
        log={"call.created": 1},
    ),
    Script(
        "a name that the API server generates",
        steps=(types("create -f -", stdin=GENERATED), types("create -f -", stdin=GENERATED)),
        answer=Answer("Yes", "changed 2 objects", writes=2, changed=("configmaps/(generated name)",) * 2),
        log={"call.created": 2},
    ),
    Script(
        "a scale and a status",
        role=EVERYTHING,
        before=(WEB,),
        steps=(
            types("scale deployment web --replicas=2"),
            types("""patch deployment web --subresource=status --type=merge -p '{{"status": {{"replicas": 1}}}}'"""),
        ),
        answer=Answer("Yes", "changed", reads=ANY, writes=2, changed=("deployments.apps/web",)),
        log={"call.updated": 2, "call.read": ANY},
    ),
    Script(
        "a whole collection is deleted",
        before=(SETTINGS,),
        steps=(types("delete --raw /api/v1/namespaces/{ns}/configmaps"), is_gone("configmap settings")),
        answer=Answer("Yes", "changed one object", writes=1, changed=("configmaps/*",)),
        log={"call.deleted": 1},
    ),
    Script(
        "a pod is made and left",
        steps=(types(POD),),
        answer=Answer("Yes", "left one pod behind", writes=1, changed=("pods/web",), remains=1),
        log={"call.created": 1},
    ),
    Script(
        "a pod is made and deleted",
        steps=(types(POD), types("delete pod web --wait=false"), is_gone("pod web")),
        answer=Answer("Yes", "changed one object", writes=2, changed=("pods/web",)),
        log={"call.created": 1, "call.deleted": 1},
    ),
    Script(
        "a pod is left, and an administrator deletes it",
        steps=(types(POD),),
        first=Answer("Yes", "left one pod behind", writes=1, changed=("pods/web",), remains=1),
        then=(admin("delete pod web --wait=false"),),
        answer=Answer("Yes", "changed one object", writes=1, changed=("pods/web",)),
        log={"call.created": 1, "session.remains_gone": 1},
    ),
    Script(
        "a pod that it made goes on acting",
        before=(DEPLOYER, DEPLOYER_MAY_EDIT),
        steps=(
            types("create -f -", stdin=WORKER),
            # What the kubelet does for each pod: nobody types it.
            mints_token("deployer --bound-object-kind=Pod --bound-object-name=worker", by="admin", for_="worker"),
            types(CREATES, by="worker"),
        ),
        after=(a_moment_passes, types("get pods", by="worker")),
        answer=Answer(
            "Yes",
            "2 calls by its tokens and pods",
            reads=1,
            writes=2,
            derived=2,
            changed=("pods/worker", "configmaps/made"),
            remains=1,
        ),
        log={"call.created": 2, "call.read": 1, "alert.used_after_end": 1},
    ),
    Script(
        "a token is made, and used also after the end",
        before=(DEPLOYER, DEPLOYER_MAY_EDIT),
        steps=(mints_token("deployer"), types("get configmaps", by="token")),
        after=(a_moment_passes, types("get configmaps", by="token"), types(CREATES, by="token")),
        answer=Answer(
            "Yes",
            "minted one token, 3 calls by its tokens and pods",
            reads=2,
            writes=2,
            derived=3,
            changed=("serviceaccounts/deployer (token)", "configmaps/made"),
            sensitive=("TokenRequest",),
        ),
        log={"call.created": 2, "call.read": 2, "alert.used_after_end": 1},
    ),
    Script(
        "somebody is let in for good",
        role=EVERYTHING,
        steps=(types("create rolebinding more --clusterrole=view --user=mallory@example.com"),),
        answer=Answer(
            "Yes",
            "left one rolebinding behind",
            writes=1,
            changed=(f"rolebindings.{RBAC}/more",),
            sensitive=("RBAC",),
            remains=1,
        ),
        log={"call.created": 1},
    ),
    Script(
        "a GET and then a DELETE under one Audit-ID",
        before=(SETTINGS,),
        steps=(
            calls("GET", "configmaps/settings", code=200, headers={"Audit-ID": "chosen-by-the-caller"}),
            calls("DELETE", "configmaps/settings", code=200, headers={"Audit-ID": "chosen-by-the-caller"}),
            is_gone("configmap settings"),
        ),
        answer=Answer("Yes", "read one object, changed one", reads=1, writes=1, changed=("configmaps/settings",)),
        log={"call.read": 1, "call.deleted": 1, "alert.audit_id_reused": 1},
    ),
    Script(
        "everything arrives three times and in any order",
        steps=(types(CREATES), types("get configmap made"), types("delete configmap made --wait=false")),
        after=(sends_again(2),),
        answer=Answer("Yes", "read one object, changed one", reads=1, writes=2, changed=("configmaps/made",)),
        log={"call.created": 1, "call.read": 1, "call.deleted": 1},
    ),
)
